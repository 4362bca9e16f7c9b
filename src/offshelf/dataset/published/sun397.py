"""SUN397: 397 classes of scenes, ten official splits."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from typing_extensions import override

from offshelf.dataset.image import ImageFile
from offshelf.dataset.imageset import ImageSet, Sample
from offshelf.dataset.published.download import Remote
from offshelf.dataset.published.lists import join_parts, lines, require_known
from offshelf.dataset.published.official import About, Official
from offshelf.dataset.published.split_choice import Partition, partitions, require_partition

SERVER = "http://vision.princeton.edu/projects/2010/SUN"
LISTS = ("Partitions", ".", "SUN397/Partitions")
"""Folders of the lists of splits in copies."""
IMAGES = Remote(
    "SUN397.tar.gz",
    (f"{SERVER}/SUN397.tar.gz",),
    "md5:8ca2778205c41d23104230ba66911c7a",
    ("SUN397/ClassName.txt",),
)
PARTITIONS = Remote(
    "Partitions.zip",
    (f"{SERVER}/download/Partitions.zip",),
    "sha256:e3311ea5f812d4cc6faef194688343d1111f6cd6f70f2c62f393c2b8d6ba1ec9",
    tuple(f"{place}/Training_01.txt" for place in LISTS),
)


@dataclass(frozen=True, kw_only=True)
class Sun397(Official):
    """The scenes, with 50 + 50 images per class in each split; the official score is the mean over all ten. 39 GB."""

    partition: Partition = 1
    """Number of the split, or `all`: ten folds."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require_partition(self.partition)

    @property
    @override
    def about(self) -> About:
        return About(
            name="sun397",
            title="SUN397, scene recognition",
            licence="research use",
            home="https://vision.princeton.edu/projects/2010/SUN/ (gone in 2025; OpenDataLab/SUN397 has a copy)",
            citation="Xiao, Hays, Ehinger, Oliva, Torralba: SUN Database: Large-scale Scene Recognition from Abbey to "
            "Zoo. CVPR 2010",
        )

    @override
    def remotes(self) -> Sequence[Remote]:
        return (IMAGES, PARTITIONS)

    @override
    def sizes(self) -> tuple[int, int]:
        return 19850, 19850

    @override
    def read(self, folder: Path) -> ImageSet:
        """Read the images; those that no chosen split mentions are left out."""
        tree = self.at("SUN397")
        lists = next(path.parent for path in (self.at(f"{place}/Training_01.txt") for place in LISTS) if path.is_file())
        names, folds = join_parts(
            [
                (_names(lists / f"Training_{number:02d}.txt"), _names(lists / f"Testing_{number:02d}.txt"))
                for number in partitions(self.partition)
            ]
        )
        classes = tuple(_class(f"{line.strip('/')}/") for line in lines(tree / "ClassName.txt"))
        number_of = {name: index for index, name in enumerate(classes)}
        require_known([_class(name) for name in names], classes, lists)
        samples = [Sample(name, ImageFile(tree / name), number_of[_class(name)]) for name in names]
        return ImageSet("sun397", classes, samples, folds)


def _names(path: Path) -> list[str]:
    """Return paths such as a/abbey/sun_aaaulhwrhqgejnyt.jpg, without the lists' leading slash."""
    return [line.lstrip("/") for line in lines(path)]


def _class(path: str) -> str:
    """Return `church/outdoor` for c/church/outdoor/x.jpg: the folders without their initial letter."""
    return "/".join(path.split("/")[1:-1])
