"""Oxford 102 Flowers."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from typing_extensions import override

from offshelf.dataset.image import ImageFile
from offshelf.dataset.imageset import ImageSet, Sample
from offshelf.dataset.published.download import Remote
from offshelf.dataset.published.lists import in_order, matlab
from offshelf.dataset.published.official import About
from offshelf.dataset.published.split_choice import WithValidation
from offshelf.errors import DatasetError

SERVER = "https://www.robots.ox.ac.uk/~vgg/data/flowers/102"
FILES = (
    Remote(
        "102flowers.tgz",
        (f"{SERVER}/102flowers.tgz",),
        "md5:52808999861908f626f3c1f4e79d11fa",
        ("jpg/image_00001.jpg",),
    ),
    Remote("imagelabels.mat", (f"{SERVER}/imagelabels.mat",), "md5:e0620be6f572b9609742df49c70aed4d"),
    Remote("setid.mat", (f"{SERVER}/setid.mat",), "md5:a5357ecc9cb78c4bef273ce3793fc85c"),
)


@dataclass(frozen=True, kw_only=True)
class Flowers102(WithValidation):
    """The flowers: 1,020 training, 1,020 validation and 6,149 test images; the test part is indeed the largest.

    The 2014 paper does not say whether it trains on the validation part too.
    """

    @property
    @override
    def about(self) -> About:
        return About(
            name="flowers102",
            title="Oxford 102 Flowers",
            licence="unknown",
            home="https://www.robots.ox.ac.uk/~vgg/data/flowers/102/",
            citation="Nilsback, Zisserman: Automated Flower Classification over a Large Number of Classes. ICVGIP 2008",
        )

    @override
    def remotes(self) -> Sequence[Remote]:
        return FILES

    @override
    def sizes(self) -> tuple[int, int]:
        return (2040 if self.train == "trainval" else 1020), 6149

    @override
    def read(self, folder: Path) -> ImageSet:
        """Read the images; classes are numbered from 1, without names."""
        labels = np.atleast_1d(matlab(folder / "imagelabels.mat", "labels")).astype(np.int64)
        parts = ("trnid", "valid") if self.train == "trainval" else ("trnid",)
        train = np.concatenate([self._ids(folder, part, len(labels)) for part in parts])
        test = self._ids(folder, "tstid", len(labels))
        images = self.at("jpg")
        samples = [
            Sample(name, ImageFile(images / name), int(labels[number - 1]) - 1)
            for number in np.concatenate((train, test))
            for name in [f"image_{number:05d}.jpg"]
        ]
        classes = tuple(str(number) for number in range(1, labels.max() + 1))
        return ImageSet("flowers102", classes, samples, in_order(len(train), len(test)), "mean_class_accuracy")

    def _ids(self, folder: Path, part: str, count: int) -> np.ndarray:
        """Return the image numbers of a part, from 1."""
        ids = np.atleast_1d(matlab(folder / "setid.mat", part)).astype(np.int64)
        if ids.min() < 1 or ids.max() > count:
            raise DatasetError(f"{folder}/setid.mat lists images without labels in imagelabels.mat.")
        return ids
