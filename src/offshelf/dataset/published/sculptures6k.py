"""Sculptures6k: sculptures by Henry Moore, among those of others."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from typing_extensions import override

from offshelf.dataset.image import ImageFile, PixelBox
from offshelf.dataset.published import landmarks
from offshelf.dataset.published.download import Remote
from offshelf.dataset.published.landmarks import Landmark, Region
from offshelf.dataset.published.official import About, OfficialRetrieval
from offshelf.dataset.retrieval_set import RetrievalItem, RetrievalSet
from offshelf.errors import ConfigError, DatasetError

log = logging.getLogger(__name__)

TRUTH = "sculptures6k_evaluation/sculptures6k_gt.txt"
ARCHIVE = Remote("sculptures6k.zip", (), None, (TRUTH,))
RECORD = 4
"""Lines per query: image, region, relevant images, ignored ones. A header precedes the first."""
LABELS = {"": (("relevant",), ("ignored",))}
SPLITS = {"test": ("test",), "train": ("train",), "all": ("train", "test")}


@dataclass(frozen=True, kw_only=True)
class Sculptures6k(OfficialRetrieval):
    """3,170 references and 70 queries per split; the site is gone, so that files have to be placed by hand.

    Little is published about its list of queries. As interpreted here, a second line of four numbers is the region x1
    y1 x2 y2, from 0; with anything else the query is the whole image. A query that its own lists do not name is removed
    from its ranking.
    """

    split: Literal["test", "train", "all"] = "test"
    """Part of the references; queries are those of the list whose images belong to it."""
    region: Region = "box"
    """Part of a query's image, as for Oxford5k."""

    def __post_init__(self) -> None:
        landmarks.require_region(self.region)
        if self.split not in SPLITS:
            raise ConfigError(f"dataset.split must be one of {', '.join(SPLITS)}; got '{self.split}'.")

    @property
    @override
    def about(self) -> About:
        return About(
            name="sculptures6k",
            title="Sculptures 6k",
            licence="unknown",
            home="https://www.robots.ox.ac.uk/~vgg/data/sculptures6k/ (Kaggle's hunter0007/6k-sculptures-dataset "
            "has a copy)",
            citation="Arandjelović, Zisserman: Smooth Object Retrieval using a Bag of Boundaries. ICCV 2011",
        )

    @override
    def remotes(self) -> Sequence[Remote]:
        return (ARCHIVE,)

    @override
    def sizes(self) -> tuple[int, int] | None:
        return None if self.split == "all" else (3170, 70)

    @override
    def read(self, folder: Path) -> RetrievalSet:
        """Read the images; the masks next to them are not read."""
        images: dict[str, ImageFile] = {}
        for part in SPLITS[self.split]:
            images |= landmarks.image_files(folder, (f"{part}/*.jpg", f"sculptures6k/{part}/*.jpg"))
        found = [one for one in _queries(self.at(TRUTH)) if one.image in images]
        if not found:
            raise DatasetError(f"{folder / TRUTH} has no query among the {self.split} images (dataset.split).")
        references = [RetrievalItem(name, image) for name, image in images.items()]
        truths = landmarks.truths(found, references, LABELS)
        return RetrievalSet("sculptures6k", references, self._seen(images, found), truths)

    def _seen(self, images: dict[str, ImageFile], found: Sequence[Landmark]) -> list[RetrievalItem]:
        whole = [one.id for one in found if one.box is None]
        if whole and self.region != "whole":
            log.info("%d of %d queries have no region; their whole images are used.", len(whole), len(found))
        return landmarks.queries(images, found, self.region)


def _queries(path: Path) -> Iterator[Landmark]:
    try:
        rows = path.read_text(encoding="utf-8-sig").splitlines()[1:]
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path} cannot be read: {error}.") from error
    while rows and len(rows) % RECORD and not rows[-1].strip():
        rows.pop()
    if len(rows) % RECORD == RECORD - 1:
        rows.append("")  # an empty list of ignored images, at the end
    if not rows or len(rows) % RECORD:
        raise DatasetError(f"{path} has {len(rows)} lines after its header; {RECORD} per query are expected.")
    for start in range(0, len(rows), RECORD):
        query, region, relevant, ignored = rows[start : start + RECORD]
        name = _name(query.strip())
        labelled = {"relevant": _names(relevant), "ignored": _names(ignored)}
        if name not in {*labelled["relevant"], *labelled["ignored"]}:
            labelled["ignored"].append(name)
        yield Landmark(f"{name}#{start // RECORD + 1}", name, _region(region), labelled)


def _names(row: str) -> list[str]:
    return [_name(cell) for cell in row.split()]


def _name(cell: str) -> str:
    """Return a name without its suffix, if it has one."""
    return cell.removesuffix(".jpg")


def _region(row: str) -> PixelBox | None:
    try:
        x1, y1, x2, y2 = (float(cell) for cell in row.split())
    except ValueError:
        return None
    return (x1, y1, x2, y2)
