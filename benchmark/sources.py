"""Images in Parquet and tar files beside the same images as files: CPU time of reading, memory of a listing.

    python benchmark/sources.py            # throughput with `backbone=pixels`: ratio to files
    python benchmark/sources.py --rows 1000000   # bytes a row of a listing: ratio to a folder's

Each ratio is of two measurements of one run, one after the other, repeated; the best of each counts.
"""

import argparse
import gc
import io
import json
import tarfile
import tempfile
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from offshelf.augmentation import center
from offshelf.backbone import Pixels
from offshelf.dataset import Folder, Parquet, WebDataset, check_images
from offshelf.dataset.files import Files
from offshelf.dataset.location import Paths
from offshelf.extractor import Extractor, Request, extract_missing
from offshelf.store import MemoryStore

SHARD = 10_000
"""Samples of a tar."""


def jpeg(number, side):
    """A JPEG file of a smooth image with some noise, of a photograph's size."""
    rng = np.random.default_rng(number)
    small = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
    image = Image.fromarray(small).resize((side, side * 3 // 4), Image.Resampling.BICUBIC)
    noisy = np.asarray(image).astype(np.int16) + rng.integers(-12, 13, (side * 3 // 4, side, 3))
    file = io.BytesIO()
    Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=90)
    return file.getvalue()


def add(tar, name, data):
    """Add a member."""
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


def write(top, count, side):
    """The same images as files, in a Parquet file and in a tar file."""
    with tarfile.open(top / "t.tar", "w") as tar:
        images = [jpeg(number, side) for number in range(count)]
        for number, image in enumerate(images):
            path = top / f"files/{'ab'[number % 2]}/{number:05}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(image)
            add(tar, f"{number:05}.jpg", image)
            add(tar, f"{number:05}.cls", b"%d" % (number % 2))
    labels = [["a", "b"][number % 2] for number in range(count)]
    pq.write_table(pa.table({"image": images, "label": labels}), top / "t.parquet", row_group_size=100)
    return {
        "files": Folder(str(top / "files")),
        "parquet": Parquet(path=str(top / "t.parquet")),
        "tar": WebDataset(path=str(top / "t.tar")),
    }


def read_all(spec):
    """List, check and extract all images with `backbone=pixels`, as a run does; CPU seconds of all threads."""
    start = time.process_time()
    pictures = spec.load().pictures
    check_images(pictures)
    request = Request(Pixels(), ("pixels",), "auto", center().views)
    extract_missing(MemoryStore(), Extractor(device="cpu"), pictures, request)
    return time.process_time() - start


def throughput(count, side, repeats):
    """Images per CPU second, relative to files."""
    with tempfile.TemporaryDirectory() as folder:
        specs = write(Path(folder), count, side)
        read_all(specs["files"])  # imports
        best = dict.fromkeys(specs, float("inf"))
        for _ in range(repeats):
            for name, spec in specs.items():
                best[name] = min(best[name], read_all(spec))
    return {name: {"cpu_s": round(one, 3), "ratio": round(best["files"] / one, 3)} for name, one in best.items()}


def traced(make):
    """Bytes that remain, and the most at any time."""
    tracemalloc.start()
    kept = make()
    gc.collect()
    result = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del kept
    return result


def memory(rows):
    """Bytes a row of listings of generated rows: of a table, a tar, and as many names of files alone."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.parquet"
        labels = pa.array([f"class {number % 100:03}" for number in range(rows)])
        pq.write_table(pa.table({"image": pa.array([b"x"] * rows), "label": labels}), path, row_group_size=1000)
        for start in range(0, rows, SHARD):
            with tarfile.open(Path(folder) / f"t-{start:09}.tar", "w") as tar:
                for number in range(start, min(start + SHARD, rows)):
                    add(tar, f"{number:08}.jpg", b"x")
                    add(tar, f"{number:08}.cls", b"%d" % (number % 100))
        names = (f"class {number % 100:03}/{number:08}.jpg" for number in range(rows))
        makers = {
            "names of files": lambda: (Files(Paths(Path(folder), names)), np.zeros(rows, np.int32)),
            "parquet": Parquet(path=str(path)).unsplit,
            "tar": WebDataset(path=str(Path(folder) / "t-*.tar")).unsplit,
        }
        found = {name: traced(make) for name, make in makers.items()}
    first = found["names of files"][0]
    return {
        name: {"bytes_a_row": round(kept / rows, 1), "peak": round(peak / rows, 1), "ratio": round(kept / first, 2)}
        for name, (kept, peak) in found.items()
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=0, help="measure the memory of a listing of so many rows instead")
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--side", type=int, default=500)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    if options.rows:
        print(json.dumps(memory(options.rows), indent=1))
    else:
        print(json.dumps(throughput(options.images, options.side, options.repeats), indent=1))
