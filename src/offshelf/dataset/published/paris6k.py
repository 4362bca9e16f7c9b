"""Paris6k: 55 queries, five for each of eleven landmarks, among photos of the city; 20 of its files are corrupt."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from typing_extensions import override

from offshelf.dataset.published import landmarks
from offshelf.dataset.published.download import Remote
from offshelf.dataset.published.landmarks import CLASSIC, Landmark, Region
from offshelf.dataset.published.official import About, OfficialRetrieval
from offshelf.dataset.retrieval_set import RetrievalSet

log = logging.getLogger(__name__)

SERVERS = ("https://www.robots.ox.ac.uk/~vgg/data/parisbuildings", "https://thor.robots.ox.ac.uk/parisbuildings")
PATTERNS = ("jpg/*.jpg", "paris/*/*.jpg")
CORRUPT_NUMBERS = {
    "louvre": ("000136", "000146"),
    "moulinrouge": ("000422",),
    "museedorsay": ("001059",),
    "notredame": ("000188",),
    "pantheon": ("000284", "000960", "000974"),
    "pompidou": ("000195", "000196", "000201", "000467", "000640"),
    "sacrecoeur": ("000299", "000330", "000353"),
    "triomphe": ("000662", "000833", "000863", "000867"),
}
CORRUPT = frozenset(f"paris_{place}_{number}" for place, several in CORRUPT_NUMBERS.items() for number in several)
"""The published `corrupt.txt`: 20 files that cannot be read completely."""


def _remote(name: str, *holds: str) -> Remote:
    return Remote(name, tuple(f"{server}/{name}" for server in SERVERS), None, holds)


IMAGES = tuple(_remote(f"paris_{part}-v1.tgz", "paris", "jpg") for part in (1, 2))
"""The images, with faces blurred since 2022."""
QUERY = "defense_1_query.txt"
TRUTH = _remote("paris_120310.tgz", QUERY, f"lab/{QUERY}", "gnd_paris6k.pkl")


@dataclass(frozen=True, kw_only=True)
class Paris6k(OfficialRetrieval):
    """6,392 references, 55 queries, as Oxford5k. Of 6,412 files 20 are corrupt and left out, readable or not.

    The ground truth is read from the official text files or, if `gnd_paris6k.pkl` was placed instead, from that.
    """

    region: Region = "box"
    """Part of a query's image, as for Oxford5k."""
    count_corrupt: bool = False
    """Whether corrupt files that are relevant to a query count as never found; otherwise they are ignored."""

    def __post_init__(self) -> None:
        landmarks.require_region(self.region)

    @property
    @override
    def about(self) -> About:
        return About(
            name="paris6k",
            title="Paris (Paris6k)",
            licence="images under Flickr's terms of use",
            home="https://www.robots.ox.ac.uk/~vgg/data/parisbuildings/",
            citation="Philbin, Chum, Isard, Sivic, Zisserman: Lost in Quantization: Improving Particular Object "
            "Retrieval in Large Scale Image Databases. CVPR 2008",
        )

    @override
    def remotes(self) -> Sequence[Remote]:
        return (*IMAGES, TRUTH)

    @override
    def sizes(self) -> tuple[int, int]:
        return 6412 - len(CORRUPT), 55

    @override
    def read(self, folder: Path) -> RetrievalSet:
        images = landmarks.image_files(folder, PATTERNS)
        places = [self.at(f"lab/{QUERY}").parent, self.at(QUERY).parent]
        names, found = landmarks.read_classic(places, self.at("gnd_paris6k.pkl"))
        references = landmarks.pictures(images, [name for name in names or images if name not in CORRUPT])
        self._say(found)
        if not self.count_corrupt:
            found = landmarks.forget(found, CORRUPT)
        truths = landmarks.truths(found, references, CLASSIC, absent=CORRUPT)
        return RetrievalSet("paris6k", references, landmarks.queries(images, found, self.region), truths)

    def _say(self, found: Sequence[Landmark]) -> None:
        relevant, ignored = CLASSIC[""]
        named, junk = (
            sum(name in CORRUPT for one in found for label in labels for name in one.labelled.get(label, ()))
            for labels in (relevant, ignored)
        )
        how = "counted as never found" if self.count_corrupt else "not counted"
        log.info(
            "%d files of paris6k are corrupt and left out. The ground truth has them %d times as relevant, %s "
            "(dataset.count_corrupt), and %d times as junk.",
            *(len(CORRUPT), named, how, junk),
        )
