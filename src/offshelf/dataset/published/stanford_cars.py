"""Stanford Cars: 196 makes and models, each image with its car's box."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from typing_extensions import override

from offshelf.dataset.box_geometry import from_matlab, require_context, with_context
from offshelf.dataset.image import ImageFile, PixelBox
from offshelf.dataset.imageset import ImageSet, Sample
from offshelf.dataset.published.download import Remote
from offshelf.dataset.published.lists import in_order, matlab
from offshelf.dataset.published.official import About, Official
from offshelf.errors import DatasetError

SERVER = "https://ai.stanford.edu/~jkrause"
TEST_LABELS = "cars_test_annos_withlabels.mat"
FILES = (
    Remote(
        "cars_train.tgz",
        (f"{SERVER}/car196/cars_train.tgz",),
        "sha256:512b227b30e2f0a8aab9e09485786ab4479582073a144998da74d64b801fd288",
        ("cars_train",),
    ),
    Remote(
        "cars_test.tgz",
        (f"{SERVER}/car196/cars_test.tgz",),
        "sha256:bffea656d6f425cba3c91c6d83336e4c5f86c6cffd8975b0f375d3a10da8e243",
        ("cars_test",),
    ),
    Remote(
        "car_devkit.tgz",
        (f"{SERVER}/cars/car_devkit.tgz",),
        "sha256:b97deb463af7d58b6bfaa18b2a4de9829f0f79e8ce663dfa9261bf7810e9accd",
        ("devkit/cars_train_annos.mat",),
    ),
    Remote(
        TEST_LABELS,
        (f"{SERVER}/car196/{TEST_LABELS}",),
        "sha256:790f75be8ea34eeded134cc559332baf23e30e91367e9ddca97d26ed9b895f05",
    ),
)


@dataclass(frozen=True, kw_only=True)
class StanfordCars(Official):
    """The cars in the official split of 8,144 and 8,041 images; the site is gone: files have to be placed by hand."""

    box: bool = False
    """Whether images are cropped to the car's box."""
    context: float = 1.0
    """Factor by which the box grows before cropping."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require_context(self.context)

    @property
    @override
    def about(self) -> About:
        return About(
            name="stanford_cars",
            title="Stanford Cars",
            licence="research use",
            home="https://ai.stanford.edu/~jkrause/cars/car_dataset.html (gone in 2023; Kaggle's "
            "jessicali9530/stanford-cars-dataset has a copy)",
            citation="Krause, Stark, Deng, Fei-Fei: 3D Object Representations for Fine-Grained Categorization. "
            "3dRR-13, ICCV Workshops 2013",
        )

    @override
    def remotes(self) -> Sequence[Remote]:
        return FILES

    @override
    def sizes(self) -> tuple[int, int]:
        return 8144, 8041

    @override
    def read(self, folder: Path) -> ImageSet:
        """Read the images; the devkit's own list of the test part has no classes, so another one is read."""
        classes = tuple(str(name) for name in np.atleast_1d(matlab(self.at("devkit/cars_meta.mat"), "class_names")))
        train = self._part(self.at("cars_train"), self.at("devkit/cars_train_annos.mat"), len(classes))
        test = self._part(self.at("cars_test"), folder / TEST_LABELS, len(classes))
        return ImageSet("stanford_cars", classes, [*train, *test], in_order(len(train), len(test)))

    def _part(self, images: Path, path: Path, classes: int) -> list[Sample]:
        samples = []
        for row in np.atleast_1d(matlab(path, "annotations")):
            try:
                name, label = str(row["fname"]), int(row["class"])
                x1, y1, x2, y2 = (float(row[f"bbox_{side}"]) for side in ("x1", "y1", "x2", "y2"))
            except (ValueError, TypeError, IndexError) as error:
                raise DatasetError(f"{path} is not the published list: {error}.") from error
            if not 1 <= label <= classes:
                raise DatasetError(f"{path} assigns {name} to class {label}, of {classes}.")
            image = ImageFile(images / name, region=self._region((x1, y1, x2, y2)))
            samples.append(Sample(f"{images.name}/{name}", image, label - 1))
        return samples

    def _region(self, box: PixelBox) -> PixelBox | None:
        return with_context(from_matlab(*box), self.context) if self.box else None
