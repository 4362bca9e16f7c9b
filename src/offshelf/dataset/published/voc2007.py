"""PASCAL VOC 2007, the classification task: which of 20 classes are in an image."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from typing_extensions import override

from offshelf.dataset.image import ImageFile
from offshelf.dataset.imageset import ImageSet, Sample
from offshelf.dataset.published.download import Remote
from offshelf.dataset.published.lists import fields, in_order
from offshelf.dataset.published.official import About, Official
from offshelf.errors import ConfigError, DatasetError

CLASSES = (
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable", "dog"),
    *("horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor"),
)
SERVER = "https://thor.robots.ox.ac.uk/pascal/VOC/voc2007"
OLD_SERVER = "http://host.robots.ox.ac.uk/pascal/VOC/voc2007"
TREE = "VOCdevkit/VOC2007"
LISTS = f"{TREE}/ImageSets/Main"


def _archive(name: str, sha256: str, holds: str) -> Remote:
    return Remote(name, (f"{SERVER}/{name}", f"{OLD_SERVER}/{name}"), f"sha256:{sha256}", (holds,))


TRAINVAL = _archive(
    "VOCtrainval_06-Nov-2007.tar",
    "7d8cd951101b0957ddfd7a530bdc8a94f06121cfc1e511bb5937e973020c7508",
    f"{LISTS}/aeroplane_trainval.txt",
)
TEST = _archive(
    "VOCtest_06-Nov-2007.tar",
    "6836888e2e01dca84577a849d339fa4f73e1e4f135d312430c4856b5609b4892",
    f"{LISTS}/aeroplane_test.txt",
)


@dataclass(frozen=True, kw_only=True)
class Voc2007(Official):
    """5,011 trainval and 4,952 test images. Labels: 1 present, -1 absent, 0 only objects marked difficult."""

    difficult: Literal["ignore", "negative"] = "ignore"
    """Treatment of label 0 in training: left out for its class, or negative. In testing it is never counted, as in the
    devkit.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.difficult not in ("ignore", "negative"):
            raise ConfigError(f"dataset.difficult must be ignore or negative; got '{self.difficult}'.")

    @property
    @override
    def about(self) -> About:
        return About(
            name="voc2007",
            title="PASCAL VOC 2007, image classification",
            licence="images under Flickr's terms of use",
            home="http://host.robots.ox.ac.uk/pascal/VOC/voc2007/",
            citation="Everingham, Van Gool, Williams, Winn, Zisserman: The PASCAL Visual Object Classes (VOC) "
            "Challenge. IJCV 88, 2010",
        )

    @override
    def remotes(self) -> Sequence[Remote]:
        return (TRAINVAL, TEST)

    @override
    def sizes(self) -> tuple[int, int]:
        return 5011, 4952

    @override
    def read(self, folder: Path) -> ImageSet:
        """Read the images with the labels of ImageSets/Main."""
        samples: list[Sample] = []
        counts = []
        for part in ("trainval", "test"):
            lists = self.at(f"{LISTS}/{CLASSES[0]}_{part}.txt").parent
            ids, labels = _labels(lists, part)
            if part == "trainval" and self.difficult == "negative":
                labels[labels == 0] = -1
            images = lists.parents[1] / "JPEGImages"
            samples += [
                Sample(name, ImageFile(images / f"{name}.jpg"), tuple(row))
                for name, row in zip(ids, labels.tolist(), strict=True)
            ]
            counts.append(len(ids))
        return ImageSet("voc2007", CLASSES, samples, in_order(*counts), "mAP_11pt")


def _labels(folder: Path, part: str) -> tuple[list[str], np.ndarray]:
    """Return image ids, and labels int8 [N, 20]. Raises DatasetError if the lists of the classes do not agree."""
    names: list[str] = []
    columns = []
    for number, label in enumerate(CLASSES):
        path = folder / f"{label}_{part}.txt"
        rows = list(fields(path, 2))
        if any(cell not in ("1", "-1", "0") for _, cell in rows):
            raise DatasetError(f"{path} has labels other than 1, -1 and 0.")
        listed = [name for name, _ in rows]
        if number and listed != names:
            raise DatasetError(f"{path} lists other images than {folder / f'{CLASSES[0]}_{part}.txt'}.")
        names = listed
        columns.append([int(cell) for _, cell in rows])
    return names, np.array(columns, dtype=np.int8).T
