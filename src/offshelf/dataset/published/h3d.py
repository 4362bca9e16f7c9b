"""Berkeley Attributes of People, also called H3D attributes: nine attributes of one person per image."""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from typing_extensions import override

from offshelf.dataset.box_geometry import from_size, require_context, with_context
from offshelf.dataset.image import ImageFile, PixelBox
from offshelf.dataset.imageset import ImageSet, Sample
from offshelf.dataset.published.download import Remote
from offshelf.dataset.published.lists import fields, in_order, numbers
from offshelf.dataset.published.official import About, Official
from offshelf.errors import ConfigError, DatasetError

log = logging.getLogger(__name__)

CLASSES = (
    *("is_male", "has_long_hair", "has_glasses", "has_hat", "has_t-shirt", "has_long_sleeves"),
    *("has_shorts", "has_jeans", "has_long_pants"),
)
TREE = "attributes_dataset"
NAME = "attributes_dataset.tgz"
ARCHIVE = Remote(
    NAME,
    (f"https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/shape/poselets/{NAME}",),
    None,
    (f"{TREE}/train/labels.txt",),
)


@dataclass(frozen=True, kw_only=True)
class H3d(Official):
    """4,013 people to train on, 4,022 to test on. Labels: 1 present, -1 absent, 0 unknown, which is never counted."""

    context: float = 1.5
    """Factor by which the person's box grows before cropping. The paper's "150 %" may also mean 2.5."""
    no_box: Literal["whole", "drop"] = "whole"
    """Treatment of the 23 training images without a valid box: use the whole image, or drop it."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require_context(self.context)
        if self.no_box not in ("whole", "drop"):
            raise ConfigError(f"dataset.no_box must be whole or drop; got '{self.no_box}'.")

    @property
    @override
    def about(self) -> About:
        return About(
            name="h3d",
            title="Attributes of People (H3D)",
            licence="unknown; images from H3D and PASCAL VOC 2010, under Flickr's terms of use",
            home="https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/shape/poselets/",
            citation="Bourdev, Maji, Malik: Describing People: A Poselet-Based Approach to Attribute Classification. "
            "ICCV 2011",
        )

    @override
    def remotes(self) -> Sequence[Remote]:
        return (ARCHIVE,)

    @override
    def sizes(self) -> tuple[int, int]:
        return 4013 - (23 if self.no_box == "drop" else 0), 4022

    @override
    def read(self, folder: Path) -> ImageSet:
        """Read the images; names are unique only within each part."""
        train, test = (self._part(self.at(TREE), part) for part in ("train", "test"))
        return ImageSet("h3d", CLASSES, [*train, *test], in_order(len(train), len(test)), "mAP_area")

    def _part(self, tree: Path, part: str) -> list[Sample]:
        path = tree / part / "labels.txt"
        samples = []
        without = 0
        for name, *cells in fields(path, 14):
            box = _box(path, cells[:4])
            without += box is None
            if box is None and self.no_box == "drop":
                continue
            region = with_context(box, self.context) if box else None
            image = ImageFile(tree / part / name, region=region)
            samples.append(Sample(f"{part}/{name}", image, _labels(path, cells[4:])))
        if without:
            seen = "used whole" if self.no_box == "whole" else "left out"
            log.info("%d of %s's images have no box and are %s (dataset.no_box).", without, part, seen)
        return samples


def _box(path: Path, cells: Sequence[str]) -> PixelBox | None:
    """Return the person's box, given as x, y, width, height; None if it is NaN."""
    sides = numbers(path, cells)
    return None if any(math.isnan(side) for side in sides) else from_size(*sides)


def _labels(path: Path, cells: Sequence[str]) -> tuple[int, ...]:
    if any(cell not in ("1", "-1", "0") for cell in cells):
        raise DatasetError(f"{path} has labels other than 1, -1 and 0: {' '.join(cells)}.")
    return tuple(int(cell) for cell in cells)
