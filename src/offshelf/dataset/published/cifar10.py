"""CIFAR-10: 32 x 32 pixels, ten classes; in its binary version, because the Python version is executable."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from typing_extensions import override

from offshelf.dataset.image import ImageArray
from offshelf.dataset.imageset import ImageSet, Sample
from offshelf.dataset.published.download import Remote
from offshelf.dataset.published.lists import in_order, lines
from offshelf.dataset.published.official import About, Official
from offshelf.errors import DatasetError

TREE = "cifar-10-batches-bin"
ARCHIVE = Remote(
    "cifar-10-binary.tar.gz",
    ("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",),
    "sha256:c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
    (f"{TREE}/test_batch.bin",),
)
SIDE = 32
RECORD = 1 + 3 * SIDE**2
"""Bytes per image: its class, then red, green and blue planes."""


@dataclass(frozen=True, kw_only=True)
class Cifar10(Official):
    """CIFAR-10 with 50,000 training and 10,000 test images."""

    @property
    @override
    def about(self) -> About:
        return About(
            name="cifar10",
            title="CIFAR-10",
            licence="unknown",
            home="https://www.cs.toronto.edu/~kriz/cifar.html",
            citation="Krizhevsky: Learning Multiple Layers of Features from Tiny Images. 2009",
        )

    @override
    def remotes(self) -> Sequence[Remote]:
        return (ARCHIVE,)

    @override
    def sizes(self) -> tuple[int, int]:
        return 50000, 10000

    @override
    def read(self, folder: Path) -> ImageSet:
        tree = self.at(TREE)
        classes = tuple(lines(tree / "batches.meta.txt"))
        train = [
            sample
            for path in sorted(tree.glob("data_batch_*.bin"))
            for sample in _batch(path, f"train/{path.stem}", len(classes))
        ]
        test = _batch(tree / "test_batch.bin", "test", len(classes))
        return ImageSet("cifar10", classes, [*train, *test], in_order(len(train), len(test)))


def _batch(path: Path, part: str, classes: int) -> list[Sample]:
    data = np.frombuffer(path.read_bytes(), np.uint8)
    if len(data) % RECORD or data[::RECORD].max(initial=0) >= classes:
        raise DatasetError(f"{path} is not a batch of images of {SIDE} x {SIDE} pixels and {classes} classes.")
    records = data.reshape(-1, RECORD)
    pixels = np.ascontiguousarray(records[:, 1:].reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1))
    return [
        Sample(f"{part}/{row}", ImageArray(image), int(target))
        for row, (image, target) in enumerate(zip(pixels, records[:, 0], strict=True))
    ]
