"""Ray against this machine alone: extraction by two nodes of one core each, a sweep of warm jobs, memory of the driver.

python benchmark/on_ray.py extraction | sweep | memory
"""

import argparse
import atexit
import json
import os
import re
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

from offshelf.backbone import EfficientNetLite0, Pixels
from offshelf.cluster import RayCluster
from offshelf.extractor import Extractor, Request, extract_missing
from offshelf.store import DiskStore

os.environ.update(RAY_AUTH_MODE="disabled", RAY_USAGE_STATS_ENABLED="0")
RAY = str(Path(sys.executable).with_name("ray"))
PORT = int(os.environ.get("RAY_BENCHMARK_PORT", "6390"))
QUICK = ["backbone=pixels", "classifier=knn", "bootstrap.replicates=0", "keep_model_mb=0"]
"""A job of a few tenths of a second."""


class Cluster:
    """Nodes of `ray start`, each on one core of its own."""

    def __init__(self, cores: list[int], cpus: int = 1) -> None:
        self.nodes: list[subprocess.Popen[bytes]] = []
        for number, core in enumerate(cores):
            folder = Path(tempfile.mkdtemp(prefix="ray"))
            atexit.register(shutil.rmtree, folder, ignore_errors=True)
            joins = [f"--address=127.0.0.1:{PORT}"] if number else ["--head", f"--port={PORT}"]
            options = [f"--num-cpus={cpus}", "--object-store-memory=80000000", "--include-dashboard=false"]
            options = options[: 2 if number else 3]
            command = ["taskset", "--cpu-list", str(core)] if len(cores) > 1 else []
            command += [RAY, "start", "--block", f"--temp-dir={folder}", *joins, *options]
            with (folder / "log").open("wb") as log:
                node = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
            self.nodes.append(node)
            atexit.register(self.stop)
            while not re.search("Ray runtime started", (folder / "log").read_text()):
                if node.poll() is not None:
                    sys.exit((folder / "log").read_text())
                time.sleep(0.2)

    def stop(self) -> None:
        """End the nodes."""
        for node in self.nodes:
            if node.poll() is None:
                node.send_signal(signal.SIGTERM)
        for node in self.nodes:
            node.wait(60)


def extraction(rounds: int, count: int) -> None:
    """Images of 500 x 375, EfficientNet-Lite0 by OpenVINO: seconds of twice as many images less those of so many.

    What is done once, such as the start of actors and the preparation of the engine, cancels.
    """
    from extraction import photographs, request
    from machine import interleaved, table

    cores = sorted(os.sched_getaffinity(0))[:2]
    cluster = Cluster(cores)
    with tempfile.TemporaryDirectory() as folder:
        images, asked = photographs(Path(folder), 2 * count), request(EfficientNetLite0())
        alone = Extractor(device="cpu", engine="openvino", chunk=64)
        ray = Extractor(
            device="cpu", engine="openvino", chunk=64, cluster="ray", ray=RayCluster(f"127.0.0.1:{PORT}", jobs=2)
        )

        def extract(used: Extractor, number: int) -> None:
            with tempfile.TemporaryDirectory() as root:
                extract_missing(DiskStore(Path(root)), used, images[:number], asked)

        times = interleaved(
            {
                "alone, half": lambda: extract(alone, count),
                "ray, half": lambda: extract(ray, count),
                "alone, whole": lambda: extract(alone, 2 * count),
                "ray, whole": lambda: extract(ray, 2 * count),
            },
            rounds,
        )
    cluster.stop()
    rates = {name: count / (times[f"{name}, whole"] - times[f"{name}, half"]) for name in ("alone", "ray")}
    ratio = rates["ray"] / rates["alone"]
    table(
        ["one process, two cores", "two Ray nodes of one core", "ratio"],
        [[f"{rates['alone']:.1f}/s", f"{rates['ray']:.1f}/s", f"{ratio:.2f}"]],
    )


def sweep(rounds: int, jobs: int) -> None:
    """Seconds of a whole command whose features are in the store; the cluster is up before."""
    from machine import table

    cluster = Cluster(sorted(os.sched_getaffinity(0))[:1], cpus=2)
    launchers = {"joblib": ["launcher=joblib"], "ray": ["launcher=ray", f"launcher.address=127.0.0.1:{PORT}"]}
    seen: dict[str, list[float]] = {name: [] for name in launchers}
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "OFFSHELF_HOME": f"{folder}/home", "OMP_NUM_THREADS": "1"}

        def offshelf(*arguments: str) -> None:
            command = [sys.executable, "-m", "offshelf", *arguments, "report=null"]
            with (Path(folder) / "log").open("ab") as log:
                subprocess.run(command, cwd=folder, env=environment, stdout=log, stderr=log, check=True)

        offshelf("classify", "backbone=pixels")
        for number in range(rounds):
            for place, (name, launcher) in enumerate(launchers.items()):
                # Of a seed each, so that each is a piece of its own.
                values = ",".join(str(1 + job + 1000 * (2 * number + place)) for job in range(jobs))
                begin = time.perf_counter()
                offshelf("classify", "-m", *QUICK, f"seed={values}", *launcher, "launcher.jobs=2")
                seen[name].append(time.perf_counter() - begin)
    cluster.stop()
    joblib, ray = (statistics.median(seen[name]) for name in launchers)
    table(["joblib, 2 jobs", "Ray, 2 jobs", "ratio"], [[f"{joblib:.1f} s", f"{ray:.1f} s", f"{joblib / ray:.2f}"]])


def memory(count: int, seconds: int) -> None:
    """Peak memory of the process that was started, and of its child that holds Ray, in MiB; tiny JPEG files.

    Names, digests and places in the store are there when the first chunk is handed out, so that some seconds of a long
    extraction tell its peak; with 0 seconds it is done whole.
    """
    from machine import table
    from memory import make

    cluster = Cluster(sorted(os.sched_getaffinity(0))[:1], cpus=1)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for start in range(0, count, 10_000):
            make(Path(folder) / "images", range(start, min(start + 10_000, count)))
        for name in ("disk", "ray"):
            command = [sys.executable, __file__, "--extract", name, f"{folder}/images", f"{folder}/{name}"]
            command += ["--seconds", str(seconds)]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            found = json.loads(done.stdout.splitlines()[-1])
            rows.append([name, f"{count:,}", f"{found['done']:,}", f"{found['own']:.0f}", f"{found['child']:.0f}"])
    cluster.stop()
    table(["path", "images", "extracted", "process, MiB", "child that holds Ray"], rows)


def watch_children(peaks: list[float]) -> None:
    """Append the largest peak of a child of this process, in MiB, again and again.

    Linux counts what a process had before it called `exec` into `ru_maxrss` of RUSAGE_CHILDREN: that is its parent's.
    """
    while True:
        for file in Path("/proc/self/task").glob("*/children"):
            for child in file.read_text().split():
                with suppress(OSError):
                    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{child}/status").read_text())
                    peaks.append(int(found[1]) / 1024 if found else 0)
        time.sleep(0.5)


def extract(name: str, root: str, store: str, seconds: int) -> None:
    """What `offshelf extract dataset=folder backbone=pixels` does; prints peaks."""
    from offshelf.augmentation import center
    from offshelf.dataset import Folder, check_images, digests

    asked = Request(Pixels(8), Pixels(8).layer_names(), "auto", center().views)
    on_ray = {"cluster": "ray", "ray": RayCluster(f"127.0.0.1:{PORT}", jobs=1)} if name == "ray" else {}
    images = Folder(root).load().pictures
    check_images(images)
    used = Extractor(device="cpu", engine="eager", batch_size=256, **on_ray)  # type: ignore[arg-type]
    signal.signal(signal.SIGALRM, lambda *_: sys.exit())
    signal.alarm(seconds)
    peaks = [0.0]
    threading.Thread(target=watch_children, args=(peaks,), daemon=True).start()
    with suppress(SystemExit):
        extract_missing(DiskStore(Path(store)), used, images, asked)
    own, child = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, max(peaks)
    done = len(images) - len(DiskStore(Path(store)).missing(list(asked.keys(used).values()), digests(images)))
    assert seconds or done == len(images)
    print(json.dumps({"own": own, "child": child, "done": done}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["extraction", "sweep", "memory"], nargs="?")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--images", type=int, default=0, help="of the smaller extraction (512), or in memory (1,000,000)"
    )
    parser.add_argument("--jobs", type=int, default=60)
    parser.add_argument("--seconds", type=int, default=0, help="of the extractions of memory; 0: to their end")
    parser.add_argument("--extract", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.extract:
        return extract(*options.extract, options.seconds)
    from machine import machine  # imports torch, which the process whose memory is measured does not need

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that no node is left
    print(machine(), "; load", " ".join(f"{load:.1f}" for load in os.getloadavg()), "\n")
    if options.what == "extraction":
        extraction(options.rounds, options.images or 512)
    elif options.what == "sweep":
        sweep(options.rounds, options.jobs)
    else:
        memory(options.images or 1_000_000, options.seconds)


if __name__ == "__main__":
    main()
