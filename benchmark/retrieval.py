"""Retrieval: spatial search against the bare products it needs, flat search against faiss, evaluation."""

import argparse
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from machine import interleaved, machine, seconds, table

from offshelf.evaluation.retrieval import RetrievalScore
from offshelf.metric import Bootstrap
from offshelf.metric.retrieval import Ranks, Truth
from offshelf.retrieval import search
from offshelf.retrieval.arrays import InTorch, OnCpu

MIB = 2**20
BLOCK = 4096
"""Rows made, and multiplied, at a time."""


def on_disk(path: Path, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """Random unit vectors in a file, mapped."""
    random = np.random.default_rng(0)
    out = np.lib.format.open_memmap(path, "w+", np.dtype(dtype), shape)
    for start in range(0, len(out), BLOCK):
        values = random.standard_normal(out[start : start + BLOCK].shape, np.float32)
        out[start : start + BLOCK] = values / np.linalg.norm(values, axis=-1, keepdims=True)
    out.flush()
    return np.load(path, mmap_mode="r")


def own_memory() -> int:
    """Resident memory of this process that is not a mapped file, in bytes."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("RssAnon"))
    return int(line.split()[1]) * 1024


def peak_memory(work: Callable[[], object]) -> int:
    """By how much it grew while some work ran, looked at twenty times a second."""
    start, seen, done = own_memory(), [0], threading.Event()

    def watch() -> None:
        while not done.wait(0.05):
            seen.append(own_memory() - start)

    watcher = threading.Thread(target=watch)
    watcher.start()
    work()
    done.set()
    watcher.join()
    return max(seen)


def spatial(options: argparse.Namespace) -> None:
    """Oxford105k's size: all references, 30 patches of 500 dimensions each, against 55 queries of 14 patches."""
    rows = []
    random = np.random.default_rng(1)
    queries = random.standard_normal((55, 14, 500), np.float32)
    queries /= np.linalg.norm(queries, axis=2, keepdims=True)
    flat = queries.reshape(-1, 500)
    block = random.standard_normal((BLOCK, 500), np.float32)
    products = np.empty((BLOCK, len(flat)), np.float32)
    for dtype in options.dtypes:
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            references = on_disk(Path(folder) / "references.npy", (options.images, 30, 500), dtype)

            def bare(references: np.ndarray = references) -> None:
                """As many products of one block in memory as the references are: nothing is read, converted or kept."""
                for _ in range(-(-references.shape[0] * 30 // BLOCK)):
                    np.matmul(block, flat.T, out=products)

            def whole(references: np.ndarray = references) -> None:
                for _ in search.rows(references, queries, "l2", OnCpu()):
                    pass

            peak = peak_memory(whole)  # the first pass also brings the file into the system's cache
            times = interleaved({"bare": bare, "search": whole}, options.rounds)
            ratio = times["search"] / times["bare"]
            cells = [f"{references.nbytes / 1e9:.1f}", *(f"{times[name]:.1f}" for name in ("bare", "search"))]
            rows.append([dtype, f"{options.images:,}", *cells, f"{ratio:.2f}", f"{peak / MIB:.0f}"])
            del references
    header = ["storage", "references", "GB", "bare products, s", "search, s", "search / bare", "memory beside, MiB"]
    table(header, rows)


def flat(options: argparse.Namespace) -> None:
    """One vector an image, float16 on disk: the top 100 of 1,000 queries, against faiss's exact index in float32."""
    import faiss

    random = np.random.default_rng(1)
    queries = random.standard_normal((1000, 1, 512), np.float32)
    queries /= np.linalg.norm(queries, axis=2, keepdims=True)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        references = on_disk(Path(folder) / "references.npy", (options.vectors, 1, 512), "float16")
        index = faiss.IndexFlatIP(512)
        for start in range(0, len(references), BLOCK):
            values = references[start : start + BLOCK, 0].astype(np.float32)
            index.add(values / np.linalg.norm(values, axis=1, keepdims=True))
        found: dict[str, np.ndarray] = {}

        def ours() -> None:
            found["ours"] = search.nearest(references, queries, 100, "cosine", OnCpu())[0]

        def theirs() -> None:
            found["faiss"] = index.search(queries[:, 0], 100)[1]

        ours()
        times = interleaved({"ours": ours, "faiss": theirs}, options.rounds)
    same = np.mean([len(np.intersect1d(*pair)) / 100 for pair in zip(found["ours"], found["faiss"], strict=True)])
    header = ["references", "faiss, s", "ours, s", "faiss / ours", "same among 100"]
    cells = [f"{times['faiss']:.1f}", f"{times['ours']:.1f}", f"{times['faiss'] / times['ours']:.2f}", f"{same:.4%}"]
    table(header, [[f"{options.vectors:,}", *cells]])


def arrays(options: argparse.Namespace) -> None:
    """NumPy, a thread a block, against PyTorch, all threads on each block, on the CPU."""
    random = np.random.default_rng(0)
    references = random.standard_normal((4000, 30, 500), np.float32)
    queries = random.standard_normal((55, 14, 500), np.float32)
    in_torch = InTorch("cpu")
    in_torch.block = OnCpu.block
    kinds = {"NumPy": OnCpu(), "PyTorch": in_torch}
    works = {
        name: lambda kind=kind: sum(len(part) for part in search.rows(references, queries, "l2", kind))
        for name, kind in kinds.items()
    }
    interleaved(works, 1)
    times = interleaved(works, options.rounds)
    ratio = times["PyTorch"] / times["NumPy"]
    table(["NumPy, s", "PyTorch, s", "ratio"], [[*(f"{times[name]:.2f}" for name in kinds), f"{ratio:.2f}"]])


def evaluation(options: argparse.Namespace) -> None:
    """Every metric of three protocols, with bootstrap intervals, from the ranks of 10,000 queries."""
    random = np.random.default_rng(0)
    empty = np.empty(0, np.int64)
    counts = random.integers(1, 60, 10_000)
    ranks = {
        protocol: Ranks.of(
            [np.sort(random.choice(5000, count, replace=False)) for count in counts],
            [Truth(np.arange(count), empty) for count in counts],
        )
        for protocol in ("easy", "medium", "hard")
    }
    first = np.zeros((10_000, 10), np.int64)

    def judge(replicates: int) -> int:
        """A new score each time: numbers are kept once they are made."""
        return len(RetrievalScore("", 1, (1, 4), "easy/mAP", ranks, first, 0.0, Bootstrap(replicates)).metrics)

    judge(1000)
    times = {draws: seconds(lambda draws=draws: judge(draws)) for draws in (0, 1000)}
    table(
        ["queries", "protocols", "metrics, s", "with 1,000 draws of the bootstrap, s"],
        [["10,000", "3", f"{times[0]:.2f}", f"{times[1000]:.2f}"]],
    )


def main() -> None:
    """One measurement, or all."""
    works = {"spatial": spatial, "flat": flat, "evaluation": evaluation, "arrays": arrays}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("works", nargs="*", help=", ".join(works))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--images", type=int, default=105_000, help="references of the spatial search")
    parser.add_argument("--vectors", type=int, default=1_000_000, help="references of the flat search")
    parser.add_argument("--dtypes", nargs="*", default=["float16", "float32"], help="of the spatial search")
    parser.add_argument("--folder", help="where up to 6.3 GB of vectors go for a while")
    options = parser.parse_args()
    print(machine(), "\n")
    for name in options.works or works:
        start = time.perf_counter()
        works[name](options)
        print(f"{name}: {time.perf_counter() - start:.0f} s in all\n", flush=True)


if __name__ == "__main__":
    main()
