"""Loaded retrieval data sets: references to search, queries, and the references that each should find."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np
from typing_extensions import override

from offshelf.dataset.consistency import require_sound
from offshelf.dataset.image import Image
from offshelf.dataset.imageset import Dataset, ImageSet, LeftOut
from offshelf.dataset.repeats import Repeats, among_references
from offshelf.dataset.training_sizes import TrainingSizes
from offshelf.errors import DatasetError
from offshelf.identity import digest
from offshelf.lazy import Lazy
from offshelf.metric.retrieval import Truth as Truth

T = TypeVar("T")


@dataclass(frozen=True)
class RetrievalItem:
    """A reference or a query; `id` is unique among its kind and readable."""

    id: str
    image: Image


@dataclass(frozen=True, eq=False)
class RetrievalSet:
    """A loaded data set. A query that is also a reference has that reference's image object.

    Its own row is `ignored` if the protocol removes the query from its ranking (Holidays), and `relevant` if it counts
    (Oxford5k, UKBench).
    """

    name: str
    references: Sequence[RetrievalItem]
    queries: Sequence[RetrievalItem]
    truths: Mapping[str, Sequence[Truth]]
    """A truth for each query, by protocol; the name of a single protocol is ""."""
    metric: str = "mAP"
    """The official metric, a name in `offshelf.metric.RETRIEVAL_METRICS`, with its protocol if any: `medium/mAP`."""
    notes: tuple[str, ...] = ()
    """Remarks, as in ImageSet."""
    not_taken: Sequence[LeftOut] = ()
    """Files that are not samples, as in ImageSet."""

    @cached_property
    def pictures(self) -> list[Image]:
        """Every image once: those of the references, then those of the queries that are not references."""
        return list({id(one.image): one.image for one in (*self.references, *self.queries)}.values())

    @cached_property
    def digest(self) -> str:
        """Identity of pixels and truths, independent of paths."""
        return digest(
            {
                "references": [one.image.digest for one in self.references],
                "queries": [one.image.digest for one in self.queries],
                "truths": {protocol: _identify(truths) for protocol, truths in self.truths.items()},
            }
        )

    @cached_property
    def repeats(self) -> Repeats:
        """Images that occur more than once. Raises ImageError."""
        return among_references(self.pictures, self.references, self.queries)

    def without(self, faults: Mapping[int, str]) -> "tuple[RetrievalSet, list[LeftOut]]":
        """Return the set without these of its `pictures`, and what was left out with the reasons.

        A relevant reference that is left out still counts, as never found.

        Raises:
            DatasetError: No reference or no query is left.
        """
        why = {id(self.pictures[row]): reason for row, reason in faults.items()}
        left_out = [
            LeftOut(one.id, role, why[id(one.image)])
            for role, several in (("reference", self.references), ("query", self.queries))
            for one in several
            if id(one.image) in why
        ]
        kept_N, kept_Q = (
            np.array([id(one.image) not in why for one in several], bool) for several in (self.references, self.queries)
        )
        if not kept_N.any() or not kept_Q.any():
            raise DatasetError(f"Without the unreadable images no reference or no query is left in {self.name}.")
        rest = replace(
            self,
            references=_chosen(self.references, kept_N),
            queries=_chosen(self.queries, kept_Q),
            truths={
                protocol: [without_rows(truth, kept_N) for truth in _chosen(truths, kept_Q)]
                for protocol, truths in self.truths.items()
            },
        )
        return rest, left_out


class RetrievalDataset(Protocol):
    """The spec of a retrieval data set, which is cheap to make; `load` reads (or downloads) it."""

    def load(self) -> RetrievalSet:
        """Load the set. Raises DatasetError if the data is missing or contradicts itself."""


@runtime_checkable
class Unsplit(Protocol):
    """A data set that draws its folds."""

    def unsplit(self) -> ImageSet:
        """Load all samples without drawing folds. Raises DatasetError as `load` does."""


def without_rows(truth: Truth, kept_N: np.ndarray) -> Truth:
    """Restrict a truth to the references that are kept, bool [N]. Relevant ones that are not kept become missing."""
    row_N = kept_N.cumsum() - 1
    relevant, ignored = (row_N[rows[kept_N[rows]]] for rows in (truth.relevant, truth.ignored))
    return Truth(relevant, ignored, truth.n_relevant - len(relevant))


def as_retrieval(images: ImageSet) -> RetrievalSet:
    """Convert a labelled set to a retrieval set: a class is an object, every image is a reference and a query.

    Protocols are `with_query`, in which the query's own row counts as found (UKBench), and `leave_query_out`, in which
    it is removed from the ranking (Holidays); the only image of a class then has nothing to find.

    Raises:
        DatasetError: Images have several labels, or numbers, or each is alone in its class.
    """
    if images.kind == "number":
        raise DatasetError(
            f"The labels of {images.name} are numbers, which do not say which images show the same; retrieval takes "
            "classes: dataset.target=class"
        )
    if images.is_multilabel:
        raise DatasetError(
            f"{images.name} has several labels per image, so that it does not say which images show the same; "
            "retrieval takes sets of one label per image, and retrieval sets."
        )
    pictures = [RetrievalItem(sample.id, sample.image) for sample in images.samples]
    groups = [np.flatnonzero(images.targets == number) for number in range(len(images.classes))]
    if all(len(rows) < 2 for rows in groups):
        raise DatasetError(f"{images.name} has no class of two or more images, so that there is nothing to find.")
    mine = [groups[target] for target in images.targets]
    truths = {
        "with_query": [Truth(rows, np.empty(0, np.int64)) for rows in mine],
        "leave_query_out": _LeaveOut(mine),
    }
    about = (images.notes, images.not_taken)
    return RetrievalSet(images.name, pictures, pictures, truths, "leave_query_out/mAP", *about)


def load_unsplit(dataset: Dataset | RetrievalDataset) -> ImageSet | RetrievalSet:
    """Load a data set without drawing folds: with two images per object, none could be held out."""
    is_drawn = isinstance(dataset, TrainingSizes) and (dataset.has_sizes or dataset.has_other_source)
    if isinstance(dataset, Unsplit) and not is_drawn:
        return dataset.unsplit()
    return dataset.load()


def load_searched(dataset: Dataset | RetrievalDataset) -> ImageSet | RetrievalSet:
    """Load a data set for retrieval, without drawing folds.

    Raises:
        DatasetError: it is not available, or draws training images, of which retrieval has none.
    """
    if isinstance(dataset, TrainingSizes) and dataset.leaves_out:
        raise DatasetError(
            "dataset.shots, fractions and draws choose training images, and retrieval has none: set them to null."
        )
    if isinstance(dataset, TrainingSizes) and dataset.has_other_source:
        raise DatasetError("dataset.test is for training and testing, and retrieval does neither: set it to null.")
    if getattr(dataset, "group", None) is not None:
        raise DatasetError("dataset.group is for splits, and retrieval has none: set it to null.")
    return load_unsplit(dataset)


def require_retrieval(images: ImageSet | RetrievalSet) -> RetrievalSet:
    """Return a retrieval set unchanged, a set of single labels as one.

    Raises:
        DatasetError: it has several labels, no references or no queries.
    """
    found = images if isinstance(images, RetrievalSet) else as_retrieval(images)
    for role in ("references", "queries"):
        if not len(getattr(found, role)):
            raise DatasetError(f"{found.name} has no {role}: there is nothing to search.")
    return found


def require_labels(images: ImageSet | RetrievalSet) -> ImageSet:
    """Return a labelled set. Raises DatasetError for a retrieval set, and for one that contradicts itself."""
    if isinstance(images, RetrievalSet):
        raise DatasetError(
            f"{images.name} is a retrieval set: it has queries and references instead of labels. "
            "Score it with: offshelf retrieve"
        )
    if not isinstance(images, ImageSet):
        raise DatasetError(f"The data set's load() returns a {type(images).__name__}; an ImageSet was expected.")
    require_sound(images)
    return images


class _LeaveOut(Lazy[Truth]):
    """A truth for each image: the others of its group. They are made on access: all would take N x group."""

    def __init__(self, groups: Sequence[np.ndarray]) -> None:
        self._groups = groups

    def __len__(self) -> int:
        return len(self._groups)

    @override
    def make(self, row: int) -> Truth:
        group = self._groups[row]
        return Truth(group[group != row], np.array([row]))


def _identify(truths: Sequence[Truth]) -> str:
    """Return the SHA-256, in hexadecimal."""
    state = hashlib.sha256()
    for truth in truths:
        for rows in ([len(truth.relevant), len(truth.ignored), truth.missing], truth.relevant, truth.ignored):
            state.update(np.asarray(rows, np.dtype("<i8")).tobytes())
    return state.hexdigest()


def _chosen(several: Sequence[T], kept: np.ndarray) -> list[T]:
    return [one for one, is_kept in zip(several, kept, strict=True) if is_kept]
