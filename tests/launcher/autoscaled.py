"""Sweeps on a cluster that Ray's autoscaler grows and shrinks: `python autoscaled.py`, as the superuser of Linux.

Its nodes are processes on one machine with an IP and temporary folders of its own (tests/support/namespaces.py).
"""

import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

FOLDERS = [str(Path(__file__).parents[1] / "support"), str(Path(__file__).parents[2] / "src")]
sys.path[:0] = FOLDERS
os.environ["PYTHONPATH"] = os.pathsep.join(FOLDERS)

import namespaces  # noqa: E402

WORKERS = 3
PROVIDER = {
    "type": "fake_multinode",
    "gcs_address": f"10.77.0.1:{namespaces.PORT}",
    "use_node_id_as_ip": True,
    "disable_node_updaters": True,
    "disable_launch_config_check": True,
}
CONFIG = {
    "cluster_name": "fake",
    "max_workers": WORKERS,
    "upscaling_speed": 1.0,
    "idle_timeout_minutes": 0.25,
    "provider": PROVIDER,
    "head_node_type": "ray.head.default",
    "available_node_types": {
        "ray.head.default": {"resources": {}, "node_config": {}, "max_workers": 0},
        "cpu": {
            "resources": {"CPU": 1, "object_store_memory": 80_000_000},
            "node_config": {},
            "min_workers": 0,
            "max_workers": WORKERS,
        },
    },
    **{name: {} for name in ("auth", "file_mounts")},
    **{f"{part}_commands": [] for part in ("initialization", "setup", "head_setup", "worker_setup")},
    **{f"{part}_start_ray_commands": [] for part in ("head", "worker")},
    **{name: [] for name in ("cluster_synced_files", "rsync_exclude", "rsync_filter")},
    "file_mounts_sync_continuously": False,
}
"""Ray's `AutoscalingCluster` reads such a file from an example that its wheel lacks."""

SWEEP = [sys.executable, "-m", "offshelf", "classify", "-m"]
SWEEP += ["backbone=pixels", "classifier=knn", "bootstrap.replicates=0", "keep_model_mb=0"]
SWEEP += ["report=null", "tracking=none", "seed=1,2,3,4,5,6", "launcher=ray", "launcher.jobs=3"]
SWEEP += [f"launcher.address=127.0.0.1:{namespaces.PORT}"]


def nodes(machine):
    """The number of Ray nodes on a machine, the head among them. What a node forks has its command line at first."""
    found = set()
    for process in machine.processes():
        with suppress(OSError):  # it has ended
            found.add(Path(f"/proc/{process}/cmdline").read_bytes())
    return sum(line.split(b"\0")[0].endswith(b"/raylet") for line in found)


def most(machine, seconds, is_over):
    """The largest number of nodes until something is over, or time is up."""
    last, found = time.monotonic() + seconds, 0
    while time.monotonic() < last and not is_over():
        found = max(found, nodes(machine))
        time.sleep(0.5)
    return found


def sweep(head):
    """The nodes before, while and after a sweep runs, and its exit code and jobs done."""
    command = head.enter("sh", "-c", 'cd /tmp/home && exec "$@"', "sh", *SWEEP)
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    before = nodes(head)
    with subprocess.Popen(command, env=namespaces.environment(), **streams) as process:
        during = most(head, 500, lambda: process.poll() is not None)
        output = process.communicate()[0]
    most(head, 90, lambda: nodes(head) == 1)
    return {"nodes": [before, during, nodes(head)], "code": process.returncode, "done": output.count(" done ")}


def main():
    """Two sweeps, one after the other."""
    os.environ |= {"RAY_FAKE_CLUSTER": "1", "AUTOSCALER_UPDATE_INTERVAL_S": "1"}
    with namespaces.Network() as network:
        head = network.add("head")
        head.open()
        namespaces.run(*head.enter("tee", "/tmp/config.json"), input=json.dumps(CONFIG), text=True, capture_output=True)
        options = ["--num-cpus=0", "--include-dashboard=false", "--autoscaling-config=/tmp/config.json"]
        head.start("--head", f"--port={namespaces.PORT}", *options)
        most(head, 120, lambda: nodes(head) == 1)
        time.sleep(8)
        return [sweep(head) for _ in range(2)]


if __name__ == "__main__":
    print(json.dumps(main()))
