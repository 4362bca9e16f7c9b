"""Describable Textures: 47 kinds, ten official splits."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from typing_extensions import override

from offshelf.dataset.image import ImageFile
from offshelf.dataset.imageset import ImageSet, Sample
from offshelf.dataset.published.download import Remote
from offshelf.dataset.published.lists import join_parts, lines
from offshelf.dataset.published.official import About
from offshelf.dataset.published.split_choice import Partition, WithValidation, partitions, require_partition

NAME = "dtd-r1.0.1.tar.gz"
ARCHIVE = Remote(
    NAME,
    (f"https://www.robots.ox.ac.uk/~vgg/data/dtd/download/{NAME}", f"https://thor.robots.ox.ac.uk/datasets/dtd/{NAME}"),
    "md5:fff73e5086ae6bdbea199a49dfb8a4c1",
    ("dtd/labels/train1.txt",),
)


@dataclass(frozen=True, kw_only=True)
class Dtd(WithValidation):
    """The textures, with 40 + 40 + 40 images per class in each split; the official score is the mean over all ten."""

    partition: Partition = 1
    """Number of the split, or `all`: ten folds."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require_partition(self.partition)

    @property
    @override
    def about(self) -> About:
        return About(
            name="dtd",
            title="Describable Textures Dataset",
            licence="research use",
            home="https://www.robots.ox.ac.uk/~vgg/data/dtd/",
            citation="Cimpoi, Maji, Kokkinos, Mohamed, Vedaldi: Describing Textures in the Wild. CVPR 2014",
        )

    @override
    def remotes(self) -> Sequence[Remote]:
        return (ARCHIVE,)

    @override
    def sizes(self) -> tuple[int, int]:
        return (3760 if self.train == "trainval" else 1880), 1880

    @override
    def read(self, folder: Path) -> ImageSet:
        """Read the images; classes are the sorted folder names."""
        tree = self.at("dtd")
        names, folds = join_parts(
            [
                (
                    [name for part in self.trained_parts for name in lines(tree / f"labels/{part}{number}.txt")],
                    lines(tree / f"labels/test{number}.txt"),
                )
                for number in partitions(self.partition)
            ]
        )
        classes = tuple(sorted({name.split("/")[0] for name in names}))
        number_of = {name: index for index, name in enumerate(classes)}
        samples = [Sample(name, ImageFile(tree / "images" / name), number_of[name.split("/")[0]]) for name in names]
        return ImageSet("dtd", classes, samples, folds)
