"""ROxford5k and RParis6k: new queries and ground truth for the images of Oxford5k and Paris6k, in three protocols."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from typing_extensions import override

from offshelf.dataset.published import landmarks, oxford5k, paris6k
from offshelf.dataset.published.download import Remote
from offshelf.dataset.published.landmarks import Protocols, Region
from offshelf.dataset.published.official import About, OfficialRetrieval
from offshelf.dataset.retrieval_set import RetrievalSet

SERVER = "http://cmp.felk.cvut.cz/revisitop/data/datasets"
PROTOCOLS: Protocols = {
    "easy": (("easy",), ("junk", "hard")),
    "medium": (("easy", "hard"), ("junk",)),
    "hard": (("hard",), ("junk", "easy")),
}
"""Labels by protocol, from section 3.3 of the paper."""


def _truth(name: str) -> Remote:
    return Remote(f"gnd_{name}.pkl", (f"{SERVER}/{name}/gnd_{name}.pkl",))


@dataclass(frozen=True, kw_only=True)
class Revisited(OfficialRetrieval):
    """70 queries that are not references. A query without easy (or hard) references is left out of that mean."""

    region: Region = "box"
    """Part of a query's image, as for Oxford5k."""

    def __post_init__(self) -> None:
        landmarks.require_region(self.region)

    @property
    @abstractmethod
    def title(self) -> str:
        """Name of the set."""

    @property
    @override
    def about(self) -> About:
        return About(
            name=self.title.lower(),
            title=f"Revisited {self.title[1:]} ({self.title})",
            licence="images under Flickr's terms of use",
            home="http://cmp.felk.cvut.cz/revisitop/",
            citation="Radenović, Iscen, Tolias, Avrithis, Chum: Revisiting Oxford and Paris: Large-Scale Image "
            "Retrieval Benchmarking. CVPR 2018",
        )

    @property
    @override
    def own_folder(self) -> str:
        """Folder of the set whose images are shared."""
        return self.about.name[1:]

    def _read(self, folder: Path, patterns: Sequence[str]) -> RetrievalSet:
        images = landmarks.image_files(folder, patterns)
        names, found = landmarks.read_gnd(folder / f"gnd_{self.about.name}.pkl", ("easy", "hard", "junk"))
        references = landmarks.pictures(images, names)
        queries = landmarks.queries(images, found, self.region)
        truths = landmarks.truths(found, references, PROTOCOLS)
        return RetrievalSet(self.about.name, references, queries, truths, "medium/mAP")


@dataclass(frozen=True, kw_only=True)
class ROxford5k(Revisited):
    """The revisited Oxford5k, with its images: 4,993 references, 70 queries."""

    @property
    @override
    def title(self) -> str:
        return "ROxford5k"

    @override
    def remotes(self) -> Sequence[Remote]:
        return (oxford5k.IMAGES, _truth("roxford5k"))

    @override
    def sizes(self) -> tuple[int, int]:
        return 4993, 70

    @override
    def read(self, folder: Path) -> RetrievalSet:
        return self._read(folder, oxford5k.PATTERNS)


@dataclass(frozen=True, kw_only=True)
class RParis6k(Revisited):
    """The revisited Paris6k, with its images: 6,322 references, 70 queries."""

    @property
    @override
    def title(self) -> str:
        return "RParis6k"

    @override
    def remotes(self) -> Sequence[Remote]:
        return (*paris6k.IMAGES, _truth("rparis6k"))

    @override
    def sizes(self) -> tuple[int, int]:
        return 6322, 70

    @override
    def read(self, folder: Path) -> RetrievalSet:
        return self._read(folder, paris6k.PATTERNS)
