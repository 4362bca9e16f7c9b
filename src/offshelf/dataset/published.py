"""Published sets through torchvision's own loaders, which download on first use and verify checksums."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.error import URLError

import numpy as np

from offshelf.dataset.image import Image, ImageArray, ImageFile
from offshelf.dataset.imageset import Fold, ImageSet, Sample
from offshelf.errors import ConfigError, DatasetError


@dataclass(frozen=True)
class _Published:
    """How to read one of torchvision's sets."""

    loader: str
    """Class in `torchvision.datasets`."""
    train: tuple[dict[str, Any], ...]
    """Arguments of the parts that are trained on."""
    test: tuple[dict[str, Any], ...]
    counts: dict[str, int]
    """Official number of images by part, to tell half an unpacked archive from a whole one."""
    metric: str
    paths: str = "_image_files"
    """Attribute with the paths of the images; empty where pixels are in memory."""
    labels: str = "_labels"
    home: str = ""
    """Where the data is, and what to place where by hand."""


_PUBLISHED = {
    "flowers102": _Published(
        "Flowers102",
        ({"split": "train"}, {"split": "val"}),
        ({"split": "test"},),
        {"train": 1020, "val": 1020, "test": 6149},
        "mean_class_accuracy",
        home="102flowers.tgz, imagelabels.mat and setid.mat of robots.ox.ac.uk/~vgg/data/flowers/102, in flowers-102/",
    ),
    "food101": _Published(
        "Food101",
        ({"split": "train"},),
        ({"split": "test"},),
        {"train": 75750, "test": 25250},
        "accuracy",
        home="food-101.tar.gz of data.vision.ee.ethz.ch/cvl, unpacked to food-101/",
    ),
    "dtd": _Published(
        "DTD",
        ({"split": "train"}, {"split": "val"}),
        ({"split": "test"},),
        {"train": 1880, "val": 1880, "test": 1880},
        "accuracy",
        home="dtd-r1.0.1.tar.gz of robots.ox.ac.uk/~vgg/data/dtd/download, unpacked to dtd/dtd/",
    ),
    "pets": _Published(
        "OxfordIIITPet",
        ({"split": "trainval"},),
        ({"split": "test"},),
        {"trainval": 3680, "test": 3669},
        "mean_class_accuracy",
        paths="_images",
        home="images.tar.gz and annotations.tar.gz of robots.ox.ac.uk/~vgg/data/pets, unpacked to oxford-iiit-pet/",
    ),
    "cifar10": _Published(
        "CIFAR10",
        ({"train": True},),
        ({"train": False},),
        {"True": 50000, "False": 10000},
        "accuracy",
        paths="",
        labels="targets",
        home="cifar-10-python.tar.gz of cs.toronto.edu/~kriz, unpacked to cifar-10-batches-py/",
    ),
}


@dataclass(frozen=True)
class Published:
    """One of torchvision's sets by name, with its official split and metric."""

    name: Literal["flowers102", "food101", "dtd", "pets", "cifar10"]
    root: str
    train: Literal["trainval", "train"] = "trainval"
    """Whether an official validation part is trained on too (flowers102, dtd)."""
    partition: int | None = None
    """Which of dtd's ten official splits."""
    download: bool = True
    verify: bool = True
    """Whether the number of images must be the official one."""

    def __post_init__(self) -> None:
        if self.name not in _PUBLISHED:
            raise ConfigError(f"There is no published set '{self.name}'; there are {', '.join(_PUBLISHED)}.")
        if self.partition is not None and not 1 <= self.partition <= 10:
            raise ConfigError(f"dataset.partition is 1 to 10; got {self.partition}.")
        if self.train not in ("trainval", "train"):
            raise ConfigError(f"dataset.train is trainval or train; got '{self.train}'.")

    def load(self) -> ImageSet:
        """See Dataset; downloads on first use."""
        about = _PUBLISHED[self.name]
        train = about.train if self.train == "trainval" else about.train[:1]
        parts = [self._part(about, arguments) for arguments in (*train, *about.test)]
        if len({tuple(getattr(part, "classes", ())) for part, _ in parts}) > 1:
            raise DatasetError(
                f"The parts of {self.name} in {self.root} have different classes; the copy is incomplete."
            )
        samples = [
            Sample(f"{next(iter(arguments.values()))}/{_id(image, row)}", image, int(label))
            for arguments, (part, images) in zip((*train, *about.test), parts, strict=True)
            for row, (image, label) in enumerate(zip(images, getattr(part, about.labels), strict=True))
        ]
        border = sum(len(images) for _, images in parts[: len(train)])
        fold = Fold(np.arange(border), np.arange(border, len(samples)))
        return ImageSet(
            self.name, _classes(parts[0][0], getattr(parts[0][0], about.labels)), samples, (fold,), about.metric
        )

    def _part(self, about: _Published, arguments: dict[str, Any]) -> tuple[Any, Sequence[Image]]:
        from offshelf.torchvision_import import import_torchvision

        import_torchvision()
        import torchvision.datasets

        loader: Callable[..., Any] = getattr(torchvision.datasets, about.loader)
        extra = {"partition": self.partition} if self.partition else {}
        root = Path(self.root).expanduser()
        try:
            root.mkdir(parents=True, exist_ok=True)
            part = loader(root, **arguments, **extra, download=self.download)
        except (URLError, OSError, RuntimeError, EOFError, KeyError, ValueError) as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise DatasetError(
                f"{self.name} could not be had: {reason}. Connect once, or place by hand, below {root}: {about.home}"
            ) from error
        images = _images(part, about)
        expected = about.counts[str(next(iter(arguments.values())))]
        if self.verify and len(images) != expected:
            raise DatasetError(
                f"{self.name} in {root} has {len(images):,} images where {expected:,} are official "
                f"({next(iter(arguments.values()))}); remove the folder to have it downloaded anew."
            )
        return part, images


def _images(part: Any, about: _Published) -> Sequence[Image]:
    if not about.paths:
        return [ImageArray(pixels) for pixels in part.data]
    return [ImageFile(Path(path)) for path in getattr(part, about.paths)]


def _classes(part: Any, labels: Sequence[int]) -> tuple[str, ...]:
    """Names where torchvision has them, else numbers."""
    names = getattr(part, "classes", None)
    return tuple(names) if names else tuple(str(number) for number in range(max(labels) + 1))


def _id(image: Image, row: int) -> str:
    return "/".join(image.path.parts[-2:]) if isinstance(image, ImageFile) else str(row)
