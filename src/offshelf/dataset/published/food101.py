"""Food-101: 101 dishes; the training labels are noisy on purpose."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from typing_extensions import override

from offshelf.dataset.image import ImageFile
from offshelf.dataset.imageset import ImageSet, Sample
from offshelf.dataset.published.download import Remote
from offshelf.dataset.published.lists import in_order, lines, require_known
from offshelf.dataset.published.official import About, Official

TREE = "food-101"
ARCHIVE = Remote(
    "food-101.tar.gz",
    ("http://data.vision.ee.ethz.ch/cvl/food-101.tar.gz",),
    "sha256:d97d15e438b7f4498f96086a4f7e2fa42a32f2712e87d3295441b2b6314053a4",
    (f"{TREE}/meta/train.txt",),
)


@dataclass(frozen=True, kw_only=True)
class Food101(Official):
    """The dishes, with 750 + 250 images per class."""

    @property
    @override
    def about(self) -> About:
        return About(
            name="food101",
            title="Food-101",
            licence="research use; images from foodspotting.com",
            home="https://data.vision.ee.ethz.ch/cvl/datasets_extra/food-101/",
            citation="Bossard, Guillaumin, Van Gool: Food-101, Mining Discriminative Components with Random Forests. "
            "ECCV 2014",
        )

    @override
    def remotes(self) -> Sequence[Remote]:
        return (ARCHIVE,)

    @override
    def sizes(self) -> tuple[int, int]:
        return 75750, 25250

    @override
    def read(self, folder: Path) -> ImageSet:
        """Read the images; lists name them as class/number."""
        tree = self.at(TREE)
        classes = tuple(sorted(lines(tree / "meta/classes.txt")))
        number = {name: index for index, name in enumerate(classes)}
        train, test = (lines(tree / f"meta/{part}.txt") for part in ("train", "test"))
        require_known([name.split("/")[0] for name in (*train, *test)], classes, tree / "meta")
        samples = [
            Sample(name, ImageFile(tree / "images" / f"{name}.jpg"), number[name.split("/")[0]])
            for name in (*train, *test)
        ]
        return ImageSet("food101", classes, samples, in_order(len(train), len(test)))
