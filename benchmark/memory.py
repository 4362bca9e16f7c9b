"""Peak memory over the number of images: a million tiny JPEG files, each count in a process of its own."""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from machine import machine, table
from PIL import Image

COUNTS = (1_000, 10_000, 100_000, 1_000_000)
CLASSES = 10
MIB = 2**20


def make(root: Path, counts: range) -> None:
    """More tiny JPEG files, no two alike, in ten class folders."""
    pixels = np.random.default_rng(counts.start).integers(0, 256, (len(counts), 8, 8, 3), dtype=np.uint8)
    for number, values in zip(counts, pixels, strict=True):
        folder = root / f"class{number % CLASSES}" / f"{number // 10_000}"
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(values).save(folder / f"{number}.jpg", quality=95)


def extract(root: str, store: str) -> None:
    """What `offshelf extract dataset=folder backbone=pixels` does; prints the peak after each step, in bytes."""
    from offshelf.augmentation import center
    from offshelf.backbone import Pixels
    from offshelf.dataset import Folder, check_images
    from offshelf.extractor import Extractor, Request, extract_missing
    from offshelf.store import DiskStore

    request = Request(Pixels(8), Pixels(8).layer_names(), "auto", center().views)
    extractor = Extractor(device="cpu", engine="eager", batch_size=256)
    peaks = {"start": peak()}
    images = Folder(root).load().pictures
    peaks["listed"] = peak()
    check_images(images)
    peaks["checked"] = peak()
    begin = time.perf_counter()
    cost = extract_missing(DiskStore(Path(store)), extractor, images, request)
    assert cost.extracted == len(images), cost
    peaks["extracted"] = peak()
    print(json.dumps({"images": len(images), "rate": len(images) / (time.perf_counter() - begin), **peaks}))


def peak() -> int:
    """Largest resident memory of this process so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    """Grow the folder from count to count, and extract it afresh each time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--most", type=int, default=COUNTS[-1], help="images; some 4 GB of disk for a million")
    parser.add_argument("--extract", nargs=2, metavar=("ROOT", "STORE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.extract:
        return extract(*options.extract)
    print(machine(), "\n")
    rows, seen = [], []
    with tempfile.TemporaryDirectory() as folder:
        made = 0
        for count in (count for count in COUNTS if count <= options.most):
            for start in range(made, count, 10_000):
                make(Path(folder) / "images", range(start, min(start + 10_000, count)))
            made = count
            command = [sys.executable, __file__, "--extract", f"{folder}/images", f"{folder}/store{count}"]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            found = json.loads(done.stdout.splitlines()[-1])
            seen.append(found)
            steps = [f"{found[step] / MIB:.0f}" for step in ("listed", "checked", "extracted")]
            growth = (found["extracted"] - seen[0]["extracted"]) / max(1, count - seen[0]["images"])
            rows.append([f"{count:,}", *steps, f"{growth:.0f}", f"{found['rate']:.0f}"])
            print(rows[-1], file=sys.stderr)
    table(["images", "listed, MiB", "checked", "extracted", "bytes an image more", "images/s"], rows)


if __name__ == "__main__":
    main()
