"""Oxford5k: 55 queries, five for each of eleven landmarks, among photos of the city."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from typing_extensions import override

from offshelf.dataset.published import landmarks
from offshelf.dataset.published.download import Remote
from offshelf.dataset.published.landmarks import CLASSIC, Region
from offshelf.dataset.published.official import About, OfficialRetrieval
from offshelf.dataset.retrieval_set import RetrievalSet

SERVERS = ("https://www.robots.ox.ac.uk/~vgg/data/oxbuildings", "https://thor.robots.ox.ac.uk/oxbuildings")
PREFIX = "oxc1_"
"""Prefix of image names in the queries' files."""
PATTERNS = ("jpg/*.jpg", "*.jpg")


def _remote(name: str, *holds: str) -> Remote:
    return Remote(name, tuple(f"{server}/{name}" for server in SERVERS), None, holds)


IMAGES = _remote("oxbuild_images-v1.tgz", "jpg/all_souls_000013.jpg", "all_souls_000013.jpg")
"""The images, with faces blurred since 2022."""
QUERY = "all_souls_1_query.txt"
TRUTH = _remote("gt_files_170407.tgz", QUERY, f"lab/{QUERY}", "gnd_oxford5k.pkl")


@dataclass(frozen=True, kw_only=True)
class Oxford5k(OfficialRetrieval):
    """5,063 references, 55 queries. Good and ok images are relevant, including the query's own; junk is ignored.

    The ground truth is read from the official text files or, if `gnd_oxford5k.pkl` was placed instead, from that.
    """

    region: Region = "box"
    """Part of a query's image: its box, the smallest square around that (the 2014 paper's), or the whole image."""

    def __post_init__(self) -> None:
        landmarks.require_region(self.region)

    @property
    @override
    def about(self) -> About:
        return About(
            name="oxford5k",
            title="Oxford Buildings (Oxford5k)",
            licence="images under Flickr's terms of use",
            home="https://www.robots.ox.ac.uk/~vgg/data/oxbuildings/",
            citation="Philbin, Chum, Isard, Sivic, Zisserman: Object Retrieval with Large Vocabularies and Fast "
            "Spatial Matching. CVPR 2007",
        )

    @override
    def remotes(self) -> Sequence[Remote]:
        return (IMAGES, TRUTH)

    @override
    def sizes(self) -> tuple[int, int]:
        return 5063, 55

    @override
    def read(self, folder: Path) -> RetrievalSet:
        images = landmarks.image_files(folder, PATTERNS)
        places = [self.at(f"lab/{QUERY}").parent, self.at(QUERY).parent]
        names, found = landmarks.read_classic(places, self.at("gnd_oxford5k.pkl"), PREFIX)
        references = landmarks.pictures(images, names or images)
        truths = landmarks.truths(found, references, CLASSIC)
        return RetrievalSet("oxford5k", references, landmarks.queries(images, found, self.region), truths)
