"""Real extraction processes, forked and killed: run by test_killed_and_concurrent.py in a process of its own.

Forking after the imports makes a trial take tenths of a second; nothing of PyTorch runs in the parent.
"""

import json
import os
import random
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import offshelf.extractor.runner  # noqa: F401 - imported once, before the forks
from offshelf.augmentation import mirror
from offshelf.backbone import Tiny
from offshelf.dataset import ImageArray
from offshelf.extractor import Extractor, Request, extract_missing
from offshelf.store import DiskStore
from offshelf.store.shard import open_shard

CHUNK, BATCH = 32, 16
REQUEST = Request(Tiny(), ("block1", "block3"), "auto", mirror().views)
EXTRACTOR = Extractor(device="cpu", engine="eager", chunk=CHUNK, batch_size=BATCH, workers=2)


@dataclass(frozen=True, eq=False)
class Counted(ImageArray):
    """An image that leaves a byte in a file whenever it is decoded."""

    log: Path = Path()

    def load(self):
        with self.log.open("ab", buffering=0) as file:
            file.write(b".")
        return super().load()


def pictures(count, log):
    """Small random images."""
    pixels = np.random.default_rng(0).integers(0, 256, (count, 40, 40, 3), dtype=np.uint8)
    return [Counted(image, log) for image in pixels]


def extract(root, images, **environment):
    """Start an extraction in a process of its own. Returns its id."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        os.environ.update(environment)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        extract_missing(DiskStore(root), EXTRACTOR, images, REQUEST)
        code = 0
    finally:
        os._exit(code)


def features(root, images):
    """All that is stored, as bytes; fails where something is missing."""
    names = [image.digest for image in images]
    return b"".join(DiskStore(root).read([key], names).tobytes() for key in REQUEST.keys(EXTRACTOR).values())


def check_shards(root):
    """Every shard is whole, and no image is in two."""
    shards = [open_shard(path) for path in root.rglob("*.safetensors")]
    images = [row.tobytes() for shard in shards for row in shard.images]
    return all(shard.is_intact() for shard in shards) and len(images) == len(set(images))


def kill(folder, number):
    """So many extractions killed at random moments; whenever a store is complete, a fresh one is begun."""
    images, kills, stores, sound, equal = pictures(320, folder / "log"), 0, 0, True, True
    start = time.monotonic()
    os.waitpid(extract(folder / "whole", images), 0)
    length = time.monotonic() - start
    whole = features(folder / "whole", images)
    (folder / "log").unlink()
    moments = random.Random(0)
    while kills < number:
        root = folder / f"store{stores}"
        child = extract(root, images)
        time.sleep(moments.uniform(0, 1.1 * length))
        os.kill(child, signal.SIGKILL)
        status = os.waitpid(child, 0)[1]
        kills += os.WIFSIGNALED(status)
        sound &= check_shards(root) if root.exists() else True
        if not os.WIFSIGNALED(status) or kills == number:
            os.waitpid(extract(root, images), 0)
            equal &= features(root, images) == whole and check_shards(root)
            stores += 1
    decodes = (folder / "log").stat().st_size
    most = stores * len(images) + kills * (2 * CHUNK + 3 * BATCH)
    return {"kills": kills, "stores": stores, "sound": sound, "equal": equal, "decodes": decodes, "most": most}


def crowd(folder, number):
    """Processes on the same features at once, told by torchrun's variables that they belong together."""
    images = pictures(1600, folder / "log")
    os.waitpid(extract(folder / "alone", images), 0)
    alone = (folder / "log").stat().st_size
    (folder / "log").unlink()
    children = [
        extract(
            folder / "together", images, LOCAL_RANK=str(rank), RANK=str(rank), WORLD_SIZE=str(number), MASTER_PORT="1"
        )
        for rank in range(number)
    ]
    codes = [os.WEXITSTATUS(os.waitpid(child, 0)[1]) for child in children]
    together = (folder / "log").stat().st_size
    return {
        "codes": codes,
        "passes": together / alone,
        "equal": features(folder / "together", images) == features(folder / "alone", images),
        "sound": check_shards(folder / "together"),
        "left": [str(path) for path in (folder / "together").rglob("*") if path.suffix in (".tmp", ".lock")],
    }


if __name__ == "__main__":
    print(json.dumps({"kill": kill, "crowd": crowd}[sys.argv[1]](Path(sys.argv[2]), int(sys.argv[3]))))
