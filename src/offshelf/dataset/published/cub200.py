"""Caltech-UCSD Birds-200-2011: 200 species, each image with its bird's box."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from typing_extensions import override

from offshelf.dataset.box_geometry import from_size, require_context, with_context
from offshelf.dataset.image import ImageFile, PixelBox
from offshelf.dataset.imageset import Fold, ImageSet, Sample
from offshelf.dataset.published.download import Remote
from offshelf.dataset.published.lists import fields, numbers
from offshelf.dataset.published.official import About, Official
from offshelf.errors import DatasetError

TREE = "CUB_200_2011"
ARCHIVE = Remote(
    "CUB_200_2011.tgz",
    ("https://data.caltech.edu/records/65de6-vp158/files/CUB_200_2011.tgz?download=1",),
    "sha256:0c685df5597a8b24909f6a7c9db6d11e008733779a671760afef78feb49bf081",
    (f"{TREE}/images",),
)


@dataclass(frozen=True, kw_only=True)
class Cub200(Official):
    """The birds in the official split of 5,994 training and 5,794 test images."""

    box: bool = True
    """Whether images are cropped to the bird's box, in training and testing."""
    context: float = 1.5
    """Factor by which the box grows before cropping. The paper's "150 %" may also mean 2.5."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require_context(self.context)

    @property
    @override
    def about(self) -> About:
        return About(
            name="cub200",
            title="Caltech-UCSD Birds-200-2011",
            licence="non-commercial research and education",
            home="https://data.caltech.edu/records/65de6-vp158",
            citation="Wah, Branson, Welinder, Perona, Belongie: The Caltech-UCSD Birds-200-2011 Dataset. "
            "California Institute of Technology, CNS-TR-2011-001",
        )

    @override
    def remotes(self) -> Sequence[Remote]:
        return (ARCHIVE,)

    @override
    def sizes(self) -> tuple[int, int]:
        return 5994, 5794

    @override
    def read(self, folder: Path) -> ImageSet:
        """Read the images; lists are joined by image id."""
        tree = self.at(TREE)
        paths = dict(fields(tree / "images.txt", 2))
        labels = _joined(tree / "image_class_labels.txt", paths)
        trained = _joined(tree / "train_test_split.txt", paths)
        box_list, files = tree / "bounding_boxes.txt", tree / "images"
        boxes = {image: from_size(*numbers(box_list, cells)) for image, *cells in fields(box_list, 5)}
        names = dict(fields(tree / "classes.txt", 2))
        number = {label: index for index, label in enumerate(names)}
        try:
            samples = [
                Sample(path, ImageFile(files / path, region=self._region(boxes[image])), number[labels[image]])
                for image, path in paths.items()
            ]
        except KeyError as error:
            raise DatasetError(f"The lists in {tree} contradict each other: {error} is in one of them only.") from error
        in_training = np.array([trained[image] == "1" for image in paths])
        fold = Fold(np.flatnonzero(in_training), np.flatnonzero(~in_training))
        return ImageSet("cub200", tuple(names.values()), samples, (fold,))

    def _region(self, box: PixelBox) -> PixelBox | None:
        return with_context(box, self.context) if self.box else None


def _joined(path: Path, images: dict[str, str]) -> dict[str, str]:
    """Return a list's second column by image id. Raises DatasetError if it does not list all images.

    It may list more: copies that were cut often have their images.txt cut only.
    """
    column = dict(fields(path, 2))
    if not column.keys() >= images.keys():
        raise DatasetError(f"{path} lists other images than {path.parent / 'images.txt'}.")
    return column
