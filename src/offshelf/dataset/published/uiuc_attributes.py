"""UIUC attributes, a-Pascal and a-Yahoo: 64 attributes of each object; an image may have several objects."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from typing_extensions import override

from offshelf.dataset.box_geometry import from_matlab, require_context, with_context
from offshelf.dataset.image import ImageFile
from offshelf.dataset.imageset import ImageSet, Sample
from offshelf.dataset.published.download import Remote
from offshelf.dataset.published.lists import in_order, lines, numbers
from offshelf.dataset.published.official import About, Official
from offshelf.errors import ConfigError, DatasetError

log = logging.getLogger(__name__)

COUNT = 64
"""Attributes."""
SERVER = "http://vision.cs.uiuc.edu/attributes"
ANNOTATIONS = Remote(
    "attribute_data.tar.gz", (f"{SERVER}/attribute_data.tar.gz",), None, ("attribute_data/attribute_names.txt",)
)
YAHOO_IMAGES = Remote(
    "ayahoo_test_images.tar.gz", (f"{SERVER}/ayahoo_test_images.tar.gz",), None, ("ayahoo_test_images",)
)
PASCAL_IMAGES = Remote(
    "VOCtrainval_14-Jul-2008.tar",
    ("https://thor.robots.ox.ac.uk/pascal/VOC/voc2008/VOCtrainval_14-Jul-2008.tar",),
    "md5:2629fa636546599198acfcfbfcf1904a",
    ("VOCdevkit/VOC2008/JPEGImages",),
)
IMAGES = {
    "apascal_train": "VOCdevkit/VOC2008/JPEGImages",
    "apascal_test": "VOCdevkit/VOC2008/JPEGImages",
    "ayahoo_test": "ayahoo_test_images",
}
"""Folders of a list's images."""
TESTED = {"a_pascal": ("apascal_test",), "a_yahoo": ("ayahoo_test",), "both": ("apascal_test", "ayahoo_test")}
TEST_SIZES = {"a_pascal": 6355, "a_yahoo": 2644, "both": 8999}


@dataclass(frozen=True, kw_only=True)
class UiucAttributes(Official):
    """a-Pascal's 6,340 objects to train on; a sample is one object, cropped to its box."""

    test: Literal["a_pascal", "a_yahoo", "both"] = "a_pascal"
    """Objects of the trained categories, of 12 others, or all together; all of them are of this set."""
    context: float = 1.0
    """Factor by which the object's box grows before cropping."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require_context(self.context)
        if self.test not in TESTED:
            raise ConfigError(f"dataset.test must be a_pascal, a_yahoo or both; got '{self.test}'.")

    @property
    @override
    def has_other_source(self) -> bool:
        return False

    @property
    @override
    def about(self) -> About:
        return About(
            name="uiuc_attributes",
            title="UIUC object attributes, a-Pascal and a-Yahoo",
            licence="unknown; images of PASCAL VOC 2008 and of the web",
            home="http://vision.cs.uiuc.edu/attributes/",
            citation="Farhadi, Endres, Hoiem, Forsyth: Describing Objects by their Attributes. CVPR 2009",
        )

    @override
    def remotes(self) -> Sequence[Remote]:
        return (ANNOTATIONS, PASCAL_IMAGES, *([YAHOO_IMAGES] if "ayahoo_test" in TESTED[self.test] else []))

    @override
    def sizes(self) -> tuple[int, int]:
        return 6340, TEST_SIZES[self.test]

    @override
    def read(self, folder: Path) -> ImageSet:
        """Read the images; classes are the attributes."""
        path = self.at("attribute_data") / "attribute_names.txt"
        names = tuple(lines(path))
        if len(set(names)) != COUNT:
            raise DatasetError(f"{path} names {len(set(names))} attributes; {COUNT} are official.")
        train = self._objects("apascal_train")
        test = [sample for part in TESTED[self.test] for sample in self._objects(part)]
        return ImageSet("uiuc_attributes", names, [*train, *test], in_order(len(train), len(test)), "mean_auc")

    def _objects(self, part: str) -> list[Sample]:
        path = self.at("attribute_data") / f"{part}.txt"
        images = self.at(IMAGES[part])
        samples = []
        empty = 0
        for row, line in enumerate(lines(path), 1):
            name, _, *cells = _fields(path, row, line)
            box = with_context(from_matlab(*numbers(path, cells[:4])), self.context)
            has_area = box[0] < box[2] and box[1] < box[3]
            empty += not has_area
            image = ImageFile(images / name, region=box if has_area else None)
            target = tuple(1 if cell == "1" else -1 for cell in cells[4:])
            samples.append(Sample(f"{part}/{name}#{row}", image, target))
        if empty:
            log.info("%d object(s) of %s have a box without area; their whole images are used.", empty, part)
        return samples


def _fields(path: Path, row: int, line: str) -> list[str]:
    """Return file, class, box and attributes."""
    found = line.rsplit(maxsplit=COUNT + 5)  # a file's name may contain spaces
    if len(found) != COUNT + 6 or set(found[6:]) - {"0", "1"}:
        raise DatasetError(f"{path}, entry {row}: file, class, box and {COUNT} values 0 or 1 are expected.")
    return found
