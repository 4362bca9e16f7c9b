"""INRIA Holidays: 500 scenes, of which the first photo is a query."""

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

SERVERS = ("http://pascal.inrialpes.fr/data2/holidays", "ftp://ftp.inrialpes.fr/pub/lear/douze/data")
IMAGES = tuple(
    Remote(f"jpg{part}.tar.gz", tuple(f"{server}/jpg{part}.tar.gz" for server in SERVERS), None, ("jpg",))
    for part in (1, 2)
)
TURNED = Remote(
    "holidays_rotated.tar.gz",
    ("https://www.dropbox.com/s/f1z8pgzhkf52tcb/holidays_rotated.tar.gz?dl=1",),
    None,
    ("holidays/100000.jpg",),
)
GROUP = 100
"""Photos per scene: file 123401.jpg is of scene 1234, whose query is 123400.jpg."""


@dataclass(frozen=True, kw_only=True)
class Holidays(OfficialRetrieval):
    """1,491 references, of which 500 are also queries; a query is removed from its own ranking.

    Many photos are stored rotated. As everywhere, they are rotated by EXIF if it says so. Most published CNN results
    use a copy that was rotated by hand, on which scores are higher: `upright`.
    """

    upright: bool = False
    """Whether to read that copy, as `holidays_upright`."""

    @property
    @override
    def about(self) -> About:
        return About(
            name="holidays_upright" if self.upright else "holidays",
            title="INRIA Holidays, turned upright by hand" if self.upright else "INRIA Holidays",
            licence="copyright INRIA, for research, as is",
            home="https://lear.inrialpes.fr/~jegou/data.php",
            citation="Jégou, Douze, Schmid: Hamming Embedding and Weak Geometric Consistency for Large Scale Image "
            "Search. ECCV 2008",
        )

    @override
    def remotes(self) -> Sequence[Remote]:
        return (TURNED,) if self.upright else IMAGES

    @override
    def sizes(self) -> tuple[int, int]:
        return 1491, 500

    @override
    def read(self, folder: Path) -> RetrievalSet:
        """Read the images; the ground truth is in their names."""
        images = image_files(folder, ("holidays/*.jpg",) if self.upright else ("jpg/*.jpg",))
        odd = [name for name in images if not (name.isdecimal() and len(name) == 6)]
        if odd:
            raise DatasetError(f"{folder} contains {odd[0][:80]}.jpg; images of Holidays are named by six digits.")
        references = [RetrievalItem(name, image) for name, image in images.items()]
        scenes = np.array([int(name) // GROUP for name in images])
        queries = [row for row, name in enumerate(images) if int(name) % GROUP == 0]
        truths = [_truth(scenes, row) for row in queries]
        return RetrievalSet(self.about.name, references, [references[row] for row in queries], {"": truths})


def _truth(scenes: np.ndarray, query: int) -> Truth:
    same = np.flatnonzero(scenes == scenes[query])
    return Truth(same[same != query], np.array([query]))
