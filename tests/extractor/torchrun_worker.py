"""What each process of a torchrun launch does in test_killed_and_concurrent.py.

A gloo group, and an extraction as any task runs it.
"""

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import torch.distributed as group
from killed_extractions import EXTRACTOR, REQUEST, Counted, check_shards, features, pictures

from offshelf.extractor import extract_missing
from offshelf.store import DiskStore


@dataclass(frozen=True, eq=False)
class Slow(Counted):
    """An image that takes its time, so that no process is done before another has begun."""

    def load(self):
        time.sleep(0.005)
        return super().load()


def main(folder):
    """Extract together; then the first process extracts alone, compares and prints what it saw."""
    group.init_process_group("gloo")
    images = [Slow(image.pixels, folder / f"log{group.get_rank()}") for image in pictures(320, folder)]
    group.barrier()
    extract_missing(DiskStore(folder / "together"), EXTRACTOR, images, REQUEST)
    group.barrier()
    if group.get_rank() == 0:
        decodes = [(folder / f"log{rank}").stat().st_size for rank in range(group.get_world_size())]
        extract_missing(DiskStore(folder / "alone"), EXTRACTOR, images, REQUEST)
        equal = features(folder / "together", images) == features(folder / "alone", images)
        print(json.dumps({"decodes": decodes, "equal": equal, "sound": check_shards(folder / "together")}), flush=True)
    group.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
