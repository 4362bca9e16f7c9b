"""Oxford-IIIT Pets: 37 breeds of cats and dogs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from typing_extensions import override

from offshelf.dataset.image import ImageFile
from offshelf.dataset.imageset import ImageSet, Sample
from offshelf.dataset.published.download import Remote
from offshelf.dataset.published.lists import fields, in_order
from offshelf.dataset.published.official import About, Official
from offshelf.errors import DatasetError

SERVERS = (
    "https://www.robots.ox.ac.uk/~vgg/data/pets/data",
    "https://thor.robots.ox.ac.uk/~vgg/data/pets",
    "https://thor.robots.ox.ac.uk/datasets/pets",
)


def _archive(name: str, sha256: str, holds: str) -> Remote:
    return Remote(name, tuple(f"{server}/{name}" for server in SERVERS), f"sha256:{sha256}", (holds,))


FILES = (
    _archive(
        "images.tar.gz", "67195c5e1c01f1ab5f9b6a5d22b8c27a580d896ece458917e61d459337fa318d", "images/Abyssinian_1.jpg"
    ),
    _archive(
        "annotations.tar.gz",
        "52425fb6de5c424942b7626b428656fcbd798db970a937df61750c0f1d358e91",
        "annotations/trainval.txt",
    ),
)


@dataclass(frozen=True, kw_only=True)
class Pets(Official):
    """The pets in the official split of 3,680 and 3,669 images. Some files named .jpg are of other formats."""

    @property
    @override
    def about(self) -> About:
        return About(
            name="pets",
            title="Oxford-IIIT Pets",
            licence="CC BY-SA 4.0",
            home="https://www.robots.ox.ac.uk/~vgg/data/pets/",
            citation="Parkhi, Vedaldi, Zisserman, Jawahar: Cats and Dogs. CVPR 2012",
        )

    @override
    def remotes(self) -> Sequence[Remote]:
        return FILES

    @override
    def sizes(self) -> tuple[int, int]:
        return 3680, 3669

    @override
    def read(self, folder: Path) -> ImageSet:
        """Read the images; classes are in the order of the lists' numbers, which differs from that of names."""
        images, lists = self.at("images"), self.at("annotations")
        train, test = (_part(lists / f"{part}.txt") for part in ("trainval", "test"))
        breeds = {label: _breed(name) for name, label in train}
        odd = [name for name, label in (*train, *test) if breeds.get(label) != _breed(name)]
        if odd or len(set(breeds.values())) < len(breeds):
            where = f"; see {odd[0]}" if odd else ""
            raise DatasetError(f"The lists in {lists} do not give each breed one number, the same in both{where}.")
        number = {label: index for index, label in enumerate(sorted(breeds))}  # a copy that was cut has gaps
        samples = [Sample(name, ImageFile(images / f"{name}.jpg"), number[label]) for name, label in (*train, *test)]
        classes = tuple(breeds[label].replace("_", " ").title() for label in number)
        return ImageSet("pets", classes, samples, in_order(len(train), len(test)), "mean_class_accuracy")


def _breed(name: str) -> str:
    return name.rpartition("_")[0]


def _part(path: Path) -> list[tuple[str, int]]:
    """Return names of images, and the numbers of their breeds."""
    try:
        return [(name, int(label)) for name, label, _, _ in fields(path, 4)]
    except ValueError:
        raise DatasetError(f"{path} must list: image, breed, species, breed of its species.") from None
