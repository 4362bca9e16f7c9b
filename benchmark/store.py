"""Features from a filled store into memory, against `numpy.load(mmap_mode="r")` of the same numbers in one file."""

import argparse
import hashlib
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from machine import interleaved, machine, table

from offshelf.augmentation import View, center, ten_crop
from offshelf.store import DiskStore, FeatureKey

CHUNK = 256


def keys(views: tuple[View, ...]) -> list[FeatureKey]:
    """Of one layer of a network through some views."""
    return [FeatureKey("0" * 64, "layer4", "avg", view) for view in views]


def write(folder: Path, names: list[str], asked: list[FeatureKey], values: np.ndarray) -> None:
    """Both: shards as extraction leaves them, and one .npy file [N, V, D]."""
    store = DiskStore(folder / "store")
    for start in range(0, len(names), CHUNK):
        rows = slice(start, start + CHUNK)
        store.put(names[rows], {key: values[rows, view] for view, key in enumerate(asked)})
    np.save(folder / "values.npy", values)


def compare(
    folder: Path, names: list[str], asked: list[FeatureKey], order: np.ndarray | None, rounds: int
) -> list[str]:
    """GB/s of both into memory, everything in the system's cache; the store is opened anew each time."""
    wanted = names if order is None else [names[row] for row in order]
    found: dict[str, np.ndarray] = {}

    def with_numpy() -> None:
        mapped = np.load(folder / "values.npy", mmap_mode="r")
        found["numpy"] = np.array(mapped) if order is None else mapped[order]

    def with_store() -> None:
        found["store"] = DiskStore(folder / "store").read(asked, wanted)

    works: dict[str, Callable[[], object]] = {"numpy": with_numpy, "store": with_store}
    interleaved(works, 1)  # into the cache
    assert (found["numpy"] == found["store"]).all()
    size = found["store"].nbytes
    found.clear()
    times = interleaved(works, rounds)
    rates = {label: size / seconds / 1e9 for label, seconds in times.items()}
    cells = [f"{size / 1e9:.2f}", f"{rates['numpy']:.2f}", f"{rates['store']:.2f}"]
    return [*cells, f"{rates['store'] / rates['numpy']:.2f}"]


def main() -> None:
    """One view in order and shuffled, then sixteen views."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--images", type=int, default=100_000)
    options = parser.parse_args()
    print(machine(), "\n")
    random = np.random.default_rng(0)
    one, sixteen = center().views, (ten_crop(0.8).views + ten_crop(2 / 3).views)[:16]
    rows = []
    for label, count, views, width in (
        ("one view", options.images, one, 1280),
        ("one view", options.images, one, 2048),
        ("16 views", options.images // 16, sixteen, 2048),
    ):
        names = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(count)]
        asked = keys(views)
        with tempfile.TemporaryDirectory() as folder:
            write(Path(folder), names, asked, random.random((count, len(views), width), np.float32))
            for how, order in (("in order", None), ("shuffled", random.permutation(count))):
                cells = compare(Path(folder), names, asked, order, options.rounds)
                rows.append([f"{count:,} images, {label}, {how}", f"{width:,}", *cells])
    table(["features", "dimensions", "GB", "numpy.load(mmap), GB/s", "store, GB/s", "ratio"], rows)


if __name__ == "__main__":
    main()
