"""A Ray cluster of one node for tests, as long as this process lives: it takes seconds to start."""

import atexit
import functools
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TOKEN = "0" * 64
"""What programs show to the cluster; else Ray keeps one in the user's home."""

WORK = [Path(__file__).parents[1] / room for room in ("launcher", "extractor")]
"""Where modules are that actors import."""

_nodes = []


def pytest_sessionfinish():
    """End what was started; a worker of pytest-xdist may be ended before it comes to `atexit`."""
    for node in _nodes:
        stop(node)


@functools.cache
def address():
    """`host:port` of the cluster, which has two CPUs and one `thing`."""
    return start(short_folder(), ["--head", "--port=0", "--num-cpus=2", '--resources={"thing": 1}'])


def short_folder():
    """A temporary folder in which the paths of Ray's sockets have less than 107 bytes; it goes with this process."""
    folder = Path(tempfile.mkdtemp(prefix="ray"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def start(folder, options):
    """Start a node with `ray start`. Returns the address of the head."""
    os.environ.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=TOKEN)  # for who connects, too
    command = [str(Path(sys.executable).with_name("ray")), "start", "--block", "--include-dashboard=false"]
    command += ["--disable-usage-stats", f"--temp-dir={folder}", "--object-store-memory=80000000", *options]
    path = os.pathsep.join([*map(str, WORK), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {name: value for name, value in os.environ.items() if name != "OFFSHELF_HOME"}  # of one test
    environment["PYTHONPATH"] = path
    with (folder / "log").open("wb") as log:
        node = subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True)
    _nodes.append(node)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and node.poll() is None:
        found = re.search(r"ray start --address='([\d.:]+)'", (folder / "log").read_text())
        if found:
            return found[1]
        time.sleep(0.1)
    raise AssertionError((folder / "log").read_text())


def stop(node):
    """End it with all that it has started."""
    node.send_signal(signal.SIGTERM)
    try:
        node.wait(30)
    except subprocess.TimeoutExpired:
        os.killpg(node.pid, signal.SIGKILL)


def servers(folder):
    """Process numbers of the control servers (GCS) and node managers (raylets) below a temporary folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        is_server = Path(os.fsdecode(command[0])).name in ("gcs_server", "raylet")
        if is_server and any(os.fsencode(folder) in argument for argument in command):
            found.append(int(process.name))
    return found
