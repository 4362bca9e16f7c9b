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
        """Read the images; class numbers are those of the lists, which differ from the order of names."""
        images, lists = self.at("images"), self.at("annotations")
        train, test = (_part(lists / f"{part}.txt") for part in ("trainval", "test"))
        breeds = {label: name.rpartition("_")[0] for name, label in train}
        if sorted(breeds) != list(range(len(breeds))) or {label for _, label in test} - set(breeds):
            raise DatasetError(f"The lists in {lists} do not number the breeds from 1.")
        samples = [Sample(name, ImageFile(images / f"{name}.jpg"), label) for name, label in (*train, *test)]
        classes = tuple(breeds[label].replace("_", " ").title() for label in sorted(breeds))
        return ImageSet("pets", classes, samples, in_order(len(train), len(test)), "mean_class_accuracy")


def _part(path: Path) -> list[tuple[str, int]]:
    """Return names of images, and their breeds from 0."""
    try:
        return [(name, int(label) - 1) for name, label, _, _ in fields(path, 4)]
    except ValueError:
        raise DatasetError(f"{path} must list: image, breed, species, breed of its species.") from None
