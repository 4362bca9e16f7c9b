"""UKBench: 2,550 objects, four photos of each, all of them queries."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from typing_extensions import override

from offshelf.dataset.published.download import Remote
from offshelf.dataset.published.landmarks import image_files
from offshelf.dataset.published.official import About, OfficialRetrieval
from offshelf.dataset.retrieval_set import RetrievalItem, RetrievalSet, Truth
from offshelf.errors import DatasetError

ARCHIVE = Remote("ukbench.zip", ("https://archive.org/download/ukbench/ukbench.zip",), None, ("full/ukbench00000.jpg",))
GROUP = 4
NAME = re.compile(r"ukbench(\d{5})")


@dataclass(frozen=True, kw_only=True)
class UkBench(OfficialRetrieval):
    """10,200 references, each a query that counts among the four images to find.

    The official metrics are recall at four, as in the 2014 paper, and four times that, the N-S score.
    """

    @property
    @override
    def about(self) -> About:
        return About(
            name="ukbench",
            title="University of Kentucky Benchmark (UKBench)",
            licence="unknown",
            home="https://archive.org/details/ukbench",
            citation="Nistér, Stewénius: Scalable Recognition with a Vocabulary Tree. CVPR 2006",
        )

    @override
    def remotes(self) -> Sequence[Remote]:
        return (ARCHIVE,)

    @override
    def sizes(self) -> tuple[int, int]:
        return 10200, 10200

    @override
    def read(self, folder: Path) -> RetrievalSet:
        """Read the images; the ground truth is in their names."""
        images = image_files(folder, ("full/*.jpg",))
        pictures = [RetrievalItem(name, image) for name, image in images.items()]
        groups = np.array([_number(folder, name) // GROUP for name in images])
        rows = {group: np.flatnonzero(groups == group) for group in np.unique(groups)}
        truths = [Truth(rows[group], np.empty(0, np.int64)) for group in groups]
        return RetrievalSet("ukbench", pictures, pictures, {"": truths}, "recall_at_4")


def _number(folder: Path, name: str) -> int:
    match = NAME.fullmatch(name)
    if not match:
        raise DatasetError(f"{folder}/full contains {name[:80]}.jpg; names of UKBench are ukbench and five digits.")
    return int(match[1])
