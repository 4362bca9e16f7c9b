"""EuroSAT: ten classes of land use, seen by Sentinel-2 in RGB, 64 x 64 pixels."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from typing_extensions import override

from offshelf.dataset.image import ImageFile
from offshelf.dataset.imageset import ImageSet, Sample
from offshelf.dataset.published.download import Remote
from offshelf.dataset.published.lists import in_order, lines, require_known
from offshelf.dataset.published.official import About
from offshelf.dataset.published.split_choice import WithValidation

SERVER = "https://huggingface.co/datasets/torchgeo/eurosat/resolve"
IMAGES = Remote(
    "EuroSAT.zip",
    (
        f"{SERVER}/c877bcd43f099cd0196738f714544e355477f3fd/EuroSAT.zip",
        "https://madm.dfki.de/files/sentinel/EuroSAT.zip",
    ),
    "md5:c8fa014336c82ac7804f0398fcb19387",
    ("2750/AnnualCrop",),
)


def _list(part: str, md5: str) -> Remote:
    name = f"eurosat-{part}.txt"
    return Remote(name, (f"{SERVER}/1ce6f1bfb56db63fd91b6ecc466ea67f2509774c/{name}",), f"md5:{md5}")


LISTS = {
    "train": _list("train", "908f142e73d6acdf3f482c5e80d851b1"),
    "val": _list("val", "95de90f2aa998f70a3b2416bfe0687b4"),
    "test": _list("test", "7ae5ab94471417b6e315763121e67c5f"),
}


@dataclass(frozen=True, kw_only=True)
class EuroSat(WithValidation):
    """EuroSAT in torchgeo's published split of 16,200, 5,400 and 5,400 images; the authors give none."""

    @property
    @override
    def about(self) -> About:
        return About(
            name="eurosat",
            title="EuroSAT, RGB, with torchgeo's split",
            licence="MIT",
            home="https://github.com/phelber/EuroSAT",
            citation="Helber, Bischke, Dengel, Borth: EuroSAT: A Novel Dataset and Deep Learning Benchmark for Land "
            "Use and Land Cover Classification. IEEE J-STARS 12, 2019",
        )

    @override
    def remotes(self) -> Sequence[Remote]:
        return (IMAGES, *LISTS.values())

    @override
    def sizes(self) -> tuple[int, int]:
        return (21600 if self.train == "trainval" else 16200), 5400

    @override
    def read(self, folder: Path) -> ImageSet:
        """Read the images; a file's name begins with its class."""
        train = [name for part in self.trained_parts for name in lines(folder / LISTS[part].name)]
        test = lines(folder / LISTS["test"].name)
        images = self.at("2750")
        classes = tuple(sorted(path.name for path in images.iterdir() if path.is_dir()))
        number = {name: index for index, name in enumerate(classes)}
        require_known([_class(name) for name in (*train, *test)], classes, folder)
        samples = [
            Sample(name, ImageFile(images / _class(name) / name), number[_class(name)]) for name in (*train, *test)
        ]
        return ImageSet("eurosat", classes, samples, in_order(len(train), len(test)))


def _class(name: str) -> str:
    return name.rpartition("_")[0]
