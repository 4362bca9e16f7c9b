"""Caltech-101: objects of 101 kinds, with no official split."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from typing_extensions import override

from offshelf.dataset.image import ImageFile
from offshelf.dataset.imageset import Fold, ImageSet, Sample, Unit
from offshelf.dataset.published.download import Remote
from offshelf.dataset.published.official import About, Official
from offshelf.dataset.training_sizes import Draw, in_random_order, only_used, sizes_of, with_sizes
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

    This is the usual protocol. Images are drawn without replacement; the background is not a class. Test images of a
    draw are those outside its largest subset. Fractions are of the largest number of shots.
    """

    shots: int | Sequence[int] = field(default=30, hash=False)
    test_per_class: int | None = None
    """Largest number of test images per class; None: all others. 50 is usual too."""
    draws: int | str = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.shots is None:
            raise ConfigError("dataset.shots of caltech101 is a number or a list: the set has no split of its own.")
        if self.test_per_class is not None and self.test_per_class < 1:
            raise ConfigError(f"dataset.test_per_class must be at least 1; got {self.test_per_class}.")

    @override
    def _require_one_unit(self) -> None:
        """Allow fractions of the shots."""

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
        return ImageSet("caltech101", classes, samples, (), "mean_class_accuracy")

    @property
    @override
    def leaves_out(self) -> bool:
        return isinstance(self.draws, str)

    @override
    def drawn(self, images: ImageSet) -> ImageSet:
        if isinstance(self.draws, str):
            return super().drawn(images)
        keys = [f"{self.seed} {draw}" for draw in range(self.draws)]
        most = max(sizes_of(self.shots))
        unit: Unit = "shots" if self.fractions is None else "fractions"
        values = sorted(sizes_of(self.shots if self.fractions is None else self.fractions))
        parts = [Draw(images, self._split(images, key, most), key).subsets(unit, values) for key in keys]
        return only_used(with_sizes(images, unit, values, self.draws, parts))

    def _split(self, images: ImageSet, key: str, shots: float) -> Fold:
        """Return the images to draw from, `shots` per class, and those to test on."""
        train, test = [], []
        for number, name in enumerate(images.classes):
            rows = in_random_order(images, np.flatnonzero(images.targets == number), key)
            if len(rows) <= shots:
                raise DatasetError(
                    f"The class {name} has {len(rows)} images; dataset.shots={shots} leaves none to test on."
                )
            train.append(rows[: int(shots)])
            test.append(rows[int(shots) :][: self.test_per_class])
        return Fold(np.concatenate(train), np.sort(np.concatenate(test)))
