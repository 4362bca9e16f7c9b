"""Caltech-101: objects of 101 kinds, with no official split."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from typing_extensions import override

from offshelf.dataset.image import ImageFile
from offshelf.dataset.imageset import Fold, ImageSet, Sample
from offshelf.dataset.published.download import Remote
from offshelf.dataset.published.official import About, Official
from offshelf.errors import ConfigError, DatasetError

TREES = ("101_ObjectCategories", "caltech-101/101_ObjectCategories")
BACKGROUND = "BACKGROUND_Google"
COUNT = 8677
"""Number of images without the background class."""
ARCHIVE = Remote(
    "caltech-101.zip",
    ("https://data.caltech.edu/records/mzrjq-6wc02/files/caltech-101.zip",),
    "md5:3138e1922a9193bfa496528edbbc45d0",
    TREES,
    inner=("caltech-101/101_ObjectCategories.tar.gz",),
)


@dataclass(frozen=True, kw_only=True)
class Caltech101(Official):
    """A random split: images of each class are drawn for training, the others are tested on.

    This is the usual protocol. Images are drawn without replacement; the background is not a class.
    """

    train_per_class: int = 30
    test_per_class: int | None = None
    """Largest number of test images per class; None: all others. 50 is usual too."""
    repeats: int = 1
    """Number of folds, each drawn independently."""
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("train_per_class", "test_per_class", "repeats"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"dataset.{name} must be at least 1; got {value}.")

    @property
    @override
    def about(self) -> About:
        return About(
            name="caltech101",
            title="Caltech-101",
            licence="CC BY 4.0",
            home="https://data.caltech.edu/records/mzrjq-6wc02",
            citation="Fei-Fei, Fergus, Perona: Learning Generative Visual Models from Few Training Examples. CVPR "
            "Workshops 2004",
        )

    @override
    def remotes(self) -> Sequence[Remote]:
        return (ARCHIVE,)

    @override
    def read(self, folder: Path) -> ImageSet:
        """Read the images; classes are the sorted folder names."""
        tree = next(self.at(place) for place in TREES if self.at(place).is_dir())
        classes = tuple(sorted(path.name for path in tree.iterdir() if path.is_dir() and path.name != BACKGROUND))
        names = [sorted(f"{name}/{path.name}" for path in (tree / name).glob("*.jpg")) for name in classes]
        count = sum(map(len, names))
        if self.verify and count != COUNT:
            raise DatasetError(
                f"caltech101 in {tree} has {count:,} images where {COUNT:,} are official; remove the folder to "
                "download it again, or continue with dataset.verify=false."
            )
        samples = [
            Sample(name, ImageFile(tree / name), number) for number, listed in enumerate(names) for name in listed
        ]
        return self._drawn(ImageSet("caltech101", classes, samples, (), "mean_class_accuracy"))

    def _drawn(self, images: ImageSet) -> ImageSet:
        """Return the set with its folds, without images that are in none of them."""
        folds = [self._draw(images, np.random.default_rng([self.seed, repeat])) for repeat in range(self.repeats)]
        used = np.unique(np.concatenate([rows for fold in folds for rows in fold]))
        return ImageSet(
            images.name,
            images.classes,
            images.take(used),
            tuple(Fold(np.searchsorted(used, train), np.searchsorted(used, test)) for train, test in folds),
            images.metric,
        )

    def _draw(self, images: ImageSet, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Return rows to train and test on."""
        train, test = [], []
        for number, name in enumerate(images.classes):
            rows = random.permutation(np.flatnonzero(images.targets == number))
            if len(rows) <= self.train_per_class:
                raise DatasetError(
                    f"The class {name} has {len(rows)} images; dataset.train_per_class={self.train_per_class} leaves "
                    "none to test on."
                )
            train.append(rows[: self.train_per_class])
            test.append(rows[self.train_per_class :][: self.test_per_class])
        return np.sort(np.concatenate(train)), np.sort(np.concatenate(test))
