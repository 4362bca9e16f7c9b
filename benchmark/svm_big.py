"""More rows than memory holds: on a GPU, and how much memory a CPU takes."""

import json
import subprocess
import sys
import tempfile
import threading
import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from machine import table
from synthetic import on_disk

from offshelf.svm import LinearSVM
from offshelf.svm.solver import Problems, solve

TOL = 1e-3
CS = tuple(0.1 * 10.0**step for step in range(5))
GB = 1e9


def big(options: Namespace) -> None:
    """The GPU's row of the table or, with --device cpu, peak memory over the number of rows."""
    if options.device == "cpu":
        return memory(options)
    if not torch.cuda.is_available():
        raise SystemExit("This needs a CUDA device; --device cpu measures memory instead.")
    count, dims, classes = options.rows or 1_280_000, options.dims or 2048, options.classes or 1000
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.npy"
        targets = on_disk(path, count, dims, classes)
        rows = np.load(path, mmap_mode="r")
        signs = np.full((count, classes), -1, np.int8)
        signs[np.arange(count), targets] = 1
        problems = Problems(signs, np.ones((count, 1), bool), np.ones((count, 1)), options.loss)
        gaps = []
        start = time.perf_counter()
        for chosen, solution in solve(rows, problems, CS, TOL, "cuda"):
            gaps.append(float(solution.gap_KV.max()))
            spent = time.perf_counter() - start
            print(f"{spent:7.1f} s, classes from {chosen.start}, C {solution.C:g}, gap {gaps[-1]:.1e}", file=sys.stderr)
        spent = time.perf_counter() - start
        peak = torch.cuda.max_memory_allocated() / GB
    print(f"{count:,} x {dims:,} float16, {classes:,} classes, {len(CS)} Cs, {options.loss}, memory-mapped\n")
    table(["minutes", "largest gap", "GPU memory, GB"], [[f"{spent / 60:.1f}", f"{max(gaps):.1e}", f"{peak:.1f}"]])


def memory(options: Namespace) -> None:
    """A quarter, half and all of the rows, each fit in a process of its own."""
    most, dims, classes = options.rows or 400_000, options.dims or 512, options.classes or 10
    out = []
    with tempfile.TemporaryDirectory() as folder:
        for count in (most // 4, most // 2, most):
            path = Path(folder) / f"{count}.npy"
            np.save(path.with_suffix(".targets.npy"), on_disk(path, count, dims, classes))
            command = [sys.executable, str(Path(__file__).with_name("svm.py")), "stream"]
            command += ["--input", str(path), str(path.with_suffix(".targets.npy"))]
            command += ["--loss", options.loss, "--threads", str(options.threads)]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            found = json.loads(done.stdout.splitlines()[-1])
            single = count * dims * 4 / GB
            values = count * classes * 4 / GB
            cells = [f"{count * dims * 2 / GB:.2f}", f"{single:.2f}", f"{values:.3f}", f"{found['peak'] / GB:.2f}"]
            cells += [
                f"{(found['peak'] - found['before']) / GB:.2f}",
                f"{found['seconds']:.0f} s",
                f"{found['gap']:.1e}",
            ]
            out.append([f"{count:,} x {dims:,}", *cells])
            print(" | ".join(out[-1]), file=sys.stderr, flush=True)
    print(
        f"{classes} classes, C = 1, {options.loss}, float16 memory-mapped; memory of the process itself, in GB, without"
    )
    print("the file's pages, which the system takes back when it needs them\n")
    header = ["rows", "file", "rows in float32", "a value a row and class", "peak", "above its start", "time", "gap"]
    table(header, out)


def stream(options: Namespace) -> None:
    """One fit to a file; prints what it took."""
    rows, targets = np.load(options.input[0], mmap_mode="r"), np.load(options.input[1])
    random = np.random.default_rng(0)
    LinearSVM(loss=options.loss).fit(random.random((3000, 8), np.float32), random.integers(0, 3, 3000))
    before, start = anonymous(), time.perf_counter()
    with peaks() as seen:
        model = LinearSVM(1.0, loss=options.loss, tol=TOL, device="cpu").fit(rows, targets)
    found = {"before": before, "peak": max(seen), "seconds": time.perf_counter() - start}
    print(json.dumps({**found, "gap": float(model.dual_gap_.max())}))


@contextmanager
def peaks() -> Iterator[list[int]]:
    """Memory of this process, a hundred times a second."""
    seen, done = [anonymous()], threading.Event()

    def watch() -> None:
        while not done.wait(0.01):
            seen.append(anonymous())

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        done.set()
        thread.join()


def anonymous() -> int:
    """Resident bytes that are not pages of a file."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon"))
