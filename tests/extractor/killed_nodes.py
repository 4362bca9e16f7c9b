"""Extraction on Ray nodes that are killed: `python killed_nodes.py kill 20`, as the superuser of a Linux machine.

The nodes are machines with an IP, home and temporary folder of their own (tests/support/namespaces.py). Half of those
that die have their link cut before, so that nobody is told.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

FOLDERS = [
    str(Path(__file__).parents[1] / "support"),
    str(Path(__file__).parent),
    str(Path(__file__).parents[2] / "src"),
]
sys.path[:0] = FOLDERS
os.environ["PYTHONPATH"] = os.pathsep.join(FOLDERS)

from namespaces import PORT, Network, environment  # noqa: E402

from offshelf.augmentation import mirror  # noqa: E402
from offshelf.backbone import Tiny  # noqa: E402
from offshelf.cluster import RayCluster  # noqa: E402
from offshelf.dataset import ImageArray  # noqa: E402
from offshelf.extractor import Extractor, Request, extract_missing, on_cluster  # noqa: E402
from offshelf.identity import array_digest  # noqa: E402
from offshelf.store import DiskStore  # noqa: E402
from offshelf.store.shard import open_shard  # noqa: E402

CHUNK = 32
REQUEST = Request(Tiny(), ("block1", "block3"), "auto", mirror().views)


@dataclass(frozen=True, eq=False)
class Slow(ImageArray):
    """An image that takes 20 ms to decode, so that nodes are killed at work."""

    def load(self):
        time.sleep(0.02)
        return super().load()


def pictures(count, kind=Slow):
    """Small random images, always the same."""
    pixels = np.random.default_rng(0).integers(0, 256, (count, 40, 40, 3), dtype=np.uint8)
    return [kind(image) for image in pixels]


def extractor(**settings):
    return Extractor(device="cpu", engine="eager", chunk=CHUNK, batch_size=16, workers=2, **settings)


def drive(root, count, address):
    """Extract on the cluster; prints what is stored, and the number of chunks that were sent more than once."""
    again = []
    lose = on_cluster.Distribution._lose

    def counted(self, seat, why):
        again.extend([why] * sum(holder == seat for holder, _ in self.sent.values()))
        lose(self, seat, why)

    on_cluster.Distribution._lose = counted
    images, used = pictures(int(count)), extractor(cluster="ray", ray=RayCluster(address, jobs=2, retries=50))
    extract_missing(DiskStore(Path(root)), used, images, REQUEST)
    print(json.dumps({"again": len(again), **stored(Path(root), images)}))


def stored(root, images):
    """A digest of all features, and how often an image is in more than one shard."""
    names = [image.digest for image in images]
    store, settings = DiskStore(root), extractor()
    values = [store.read([key], names) for key in REQUEST.keys(settings).values()]
    shards = [open_shard(path) for path in root.rglob("*.safetensors")]
    rows = [row.tobytes() for shard in shards for row in shard.images]
    twice = (len(rows) - len(set(rows))) // CHUNK
    sound = all(shard.is_intact() for shard in shards)
    return {"digest": array_digest(np.concatenate(values, axis=2)), "twice": twice, "sound": sound}


def is_working(machine):
    """Whether an actor has images at work on the machine."""
    return any(b"ray::Seat.call" in command(process) for process in machine.processes())


def command(process):
    """The command line of a process; empty if it has ended."""
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return b""


def start(network, count):
    """A head without CPUs, where the driver is, and two nodes of one CPU each."""
    head = network.add("head")
    head.start("--head", f"--port={PORT}", "--num-cpus=0", "--include-dashboard=false")
    time.sleep(8)
    nodes = [network.add(f"n{number}") for number in range(count)]
    for node in nodes:
        join(node, head)
    return head, nodes


def join(node, head):
    """Have a machine join the cluster, as one that an autoscaler has started."""
    node.set_link("up")
    node.start(f"--address={head.ip}:{PORT}", "--num-cpus=1")


def begin(head, root, count, address=f"127.0.0.1:{PORT}"):
    """Start a driver on the head's machine."""
    program = head.enter(sys.executable, __file__, "drive", str(root), str(count), address)
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(program, env=environment(), **streams)


def finish(driver, seconds=900):
    """What a driver prints, and its errors."""
    output, errors = driver.communicate(timeout=seconds)
    return json.loads(output.splitlines()[-1]) if driver.returncode == 0 else None, errors


def alone(count):
    """Digest of the features that one process extracts."""
    from tempfile import TemporaryDirectory

    images = pictures(count, ImageArray)
    with TemporaryDirectory() as root:
        extract_missing(DiskStore(Path(root)), extractor(), images, REQUEST)
        return stored(Path(root), images)["digest"]


def kill(number, count=6000):
    """Kill so many nodes in the middle of extractions, each of which begins with an empty store."""
    number, count, moments = int(number), int(count), random.Random(0)
    expected = alone(count)
    found = {"kills": 0, "cut": 0, "extractions": 0, "survived": 0, "lost": 0, "again": 0, "twice": 0}
    with Network() as network:
        head, nodes = start(network, 2)
        driver = begin(head, "/tmp/store0", count)
        while found["kills"] < number or driver:
            if driver.poll() is not None or found["kills"] == number:
                done, errors = finish(driver)
                found["extractions"] += 1
                is_whole = bool(done) and done["digest"] == expected and done["sound"]
                found["survived"] += is_whole
                found["lost"] += not is_whole
                found["again"] += done["again"] if done else 0
                found["twice"] += done["twice"] if done else 0
                print(json.dumps(found), errors[-500:] if not is_whole else "", file=sys.stderr, flush=True)
                driver = begin(head, f"/tmp/store{found['extractions']}", count) if found["kills"] < number else None
                continue
            node = nodes[found["kills"] % 2]
            if not is_working(node):
                time.sleep(0.2)
                continue
            time.sleep(moments.uniform(0, 3))
            if driver.poll() is not None:
                continue
            if found["kills"] % 4 > 1:
                node.set_link("down")
                found["cut"] += 1
            node.kill()
            found["kills"] += 1
            join(node, head)
    return found


def two(count=3000):
    """Two drivers at once, on the same store: they share the work."""
    count, expected = int(count), alone(int(count))
    with Network() as network:
        head, _ = start(network, 2)
        drivers = [begin(head, "/tmp/store", count) for _ in range(2)]
        done = [finish(driver)[0] for driver in drivers]
    return {"equal": [one["digest"] == expected for one in done], "twice": max(one["twice"] for one in done)}


def behead(count=6000):
    """Kill Ray's head in the middle: the driver says so; then another cluster goes on with the same store."""
    count, expected = int(count), alone(int(count))
    with Network() as network:
        head, nodes = start(network, 2)
        driver = begin(head, "/tmp/store", count)
        while not any(map(is_working, nodes)):
            time.sleep(0.2)
        time.sleep(5)
        first = time.monotonic()
        for process in servers(head):
            os.kill(process, signal.SIGKILL)
        _, errors = finish(driver)
        seconds = time.monotonic() - first
        last = time.monotonic() + 90  # a node gives up a head that does not come back
        while any(map(is_working, nodes)) and time.monotonic() < last:
            time.sleep(1)
        left = [machine.name for machine in nodes if is_working(machine)]
        for node in nodes:
            node.kill()
        head.kill(keeps_files=True)
        head.start("--head", f"--port={PORT}", "--num-cpus=1", "--include-dashboard=false")
        time.sleep(15)
        done, more = finish(begin(head, "/tmp/store", count))
    return {
        "told": errors.strip().splitlines()[-1:],
        "seconds": round(seconds),
        "left": left,
        "equal": bool(done) and done["digest"] == expected and not done["twice"],
        "errors": "" if done else more[-500:],
    }


def servers(machine):
    """Ray's control server on a machine."""
    return [process for process in machine.processes() if b"gcs_server" in command(process).split(b"\0")[0]]


if __name__ == "__main__":
    mode, *rest = sys.argv[1:]
    if mode == "drive":
        drive(*rest)
    else:
        print(json.dumps({"kill": kill, "two": two, "behead": behead}[mode](*rest)))
