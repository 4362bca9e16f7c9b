"""Detection of repeated images: in training and testing, as query and reference, or with two labels."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from offshelf.dataset.image import Image
from offshelf.dataset.reading import digests
from offshelf.identity import Digests
from offshelf.names import NAMED


class NamedImage(Protocol):
    """An image that has an id, as a sample, a reference or a query."""

    @property
    def id(self) -> str:
        """Return its name."""

    @property
    def image(self) -> Image:
        """Return the image."""


@dataclass(frozen=True, eq=False)
class Repeats:
    """Repeated images, which have equal digests: the same bytes, in the same region and on the same background."""

    part: str
    """The part that is tested: `test` or `query`; `train` if there is none."""
    count: int
    """Number of repeated images of that part: test images that are trained on in the same fold, or queries that equal a
    reference other than themselves; in `train` images that occur more than once."""
    two_labels: int = 0
    """Number of images that equal one with another label."""
    table: Mapping[str, Sequence[object]] = field(default_factory=dict)
    """Columns `group`, `id`, `part`, `label` of all images that occur more than once."""
    pairs: tuple[tuple[str, str], ...] = ()
    """Names of some repeated images, each with its equal."""
    label_pairs: tuple[tuple[str, str], ...] = ()
    """Names of some equal images with different labels."""

    @property
    def counts(self) -> dict[str, float]:
        """Metrics; the first of them is in every run."""
        name = "data/repeated_train" if self.part == "train" else f"data/leaked_{self.part}"
        return {name: float(self.count)} | ({"data/two_labels": float(self.two_labels)} if self.two_labels else {})


def among_samples(
    pictures: Sequence[Image],
    samples: Sequence[NamedImage],
    targets_N: np.ndarray,
    folds: Sequence[tuple[np.ndarray, np.ndarray]],
    label: Callable[[int], str],
) -> Repeats:
    """Find the images that a labelled set holds more than once.

    Args:
        pictures: The images of all samples.
        samples: The samples, for their ids.
        targets_N: Class numbers [N], or several labels [N, K].
        folds: Row numbers of the samples to train and to test on. Without folds all images are for training.
        label: Returns the label of a row in words.

    Raises:
        ImageError: An image cannot be read.
    """
    groups = equal_groups(pictures)
    rows = repeated_rows(groups)
    is_trained, is_tested = np.full(len(groups), not folds), np.zeros(len(groups), bool)
    equals = first_equals(rows, rows, groups) if not folds else np.full(len(rows), -1, np.int64)
    place = np.full(len(groups), -1)
    place[rows] = np.arange(len(rows))
    for train, test in folds:
        is_trained[train], is_tested[test] = True, True
        tested = test[place[test] >= 0]
        found = first_equals(tested, train, groups)
        equals[place[tested]] = np.where(found >= 0, found, equals[place[tested]])
    known = rows[equals >= 0]
    odd, others = _of_another_label(rows, groups, targets_N)
    ids = [samples[row].id for row in rows.tolist()]
    labels = [label(row) for row in rows.tolist()]
    parts = [" and ".join(_parts(*each)) for each in zip(is_trained[rows], is_tested[rows], strict=True)]
    named = {row: f"{name} ({words})" for row, name, words in zip(rows.tolist(), ids, labels, strict=True)}
    return Repeats(
        "test" if folds else "train",
        len(known),
        len(odd),
        {"group": _renumbered(groups[rows].tolist()), "id": ids, "part": parts, "label": labels},
        tuple((samples[a].id, samples[b].id) for a, b in _some(known, equals[equals >= 0])),
        tuple((named[a], named[b]) for a, b in _some(odd, others)),
    )


def among_references(
    pictures: Sequence[Image], references: Sequence[NamedImage], queries: Sequence[NamedImage]
) -> Repeats:
    """Find the queries of a retrieval set that are equal to a reference that is another image.

    Args:
        pictures: Every image once, also one that is a reference and a query.
        references: The references; the same object as `queries` where each is a query.
        queries: The queries.

    Raises:
        ImageError: An image cannot be read.
    """
    place = {id(image): row for row, image in enumerate(pictures)}
    groups = equal_groups(pictures)
    rows_R, rows_Q = (
        np.array([place[id(one.image)] for one in several], np.int64) for several in (references, queries)
    )
    equals = first_equals(rows_Q, rows_R, groups)
    known = np.flatnonzero(equals >= 0)
    reference_of = {row: number for number, row in reversed(list(enumerate(rows_R.tolist())))}
    alike = np.flatnonzero(np.isin(rows_R, repeated_rows(groups)))
    listed = [(groups[rows_R[row]], references[row].id, "reference") for row in alike.tolist()]
    if queries is not references:
        listed += [(groups[rows_Q[row]], queries[row].id, "query") for row in known.tolist()]
    order = {group: number for number, group in enumerate(dict.fromkeys(group for group, _, _ in listed))}
    listed.sort(key=lambda one: order[one[0]])
    table: dict[str, list[object]] = {
        "group": _renumbered([group for group, _, _ in listed]),
        "id": [name for _, name, _ in listed],
        "part": [part for _, _, part in listed],
        "label": [""] * len(listed),
    }
    pairs = [(queries[row].id, references[reference_of[equal]].id) for row, equal in _some(known, equals[known])]
    return Repeats("query", len(known), 0, table, tuple(pairs))


def equal_groups(images: Sequence[Image]) -> np.ndarray:
    """Return a group number from 0 for each image, int64 [N], equal exactly for images of equal digests."""
    known = digests(images)
    if not len(known):
        return np.zeros(0, np.int64)
    if isinstance(known, Digests):
        rows_N32 = known.rows_N32
    else:
        text = "".join(known)
        if any(len(one) != 64 for one in known):  # images of the user with digests of another kind
            return np.unique(np.array(known), return_inverse=True)[1].astype(np.int64)
        rows_N32 = np.frombuffer(bytes.fromhex(text), np.uint8).reshape(-1, 32)
    words_N4 = np.ascontiguousarray(rows_N32).view(np.uint64)
    order = np.argsort(words_N4[:, 0], kind="stable")  # distinct images differ in the first word
    is_new = np.ones(len(order), bool)
    is_new[1:] = (words_N4[order[1:]] != words_N4[order[:-1]]).any(axis=1)
    groups = np.empty(len(order), np.int64)
    groups[order] = np.cumsum(is_new) - 1
    return groups


def repeated_rows(groups_N: np.ndarray) -> np.ndarray:
    """Return rows of images that share their group, int64, by groups, in the order of their first images."""
    rows = np.flatnonzero(np.bincount(groups_N)[groups_N] > 1) if len(groups_N) else np.zeros(0, np.int64)
    _, first, group = np.unique(groups_N[rows], return_index=True, return_inverse=True)
    return rows[np.argsort(first[group], kind="stable")]


def first_equals(rows: np.ndarray, others: np.ndarray, groups_N: np.ndarray) -> np.ndarray:
    """Return, for each row, the first of the others in its group that is another row, int64; -1 if there is none."""
    first = np.full(int(groups_N.max(initial=-1)) + 1, -1, np.int64)
    last = first.copy()
    first[groups_N[others[::-1]]] = others[::-1]
    last[groups_N[others]] = others
    found = first[groups_N[rows]]
    return np.where(found == rows, np.where(last[groups_N[rows]] == rows, -1, last[groups_N[rows]]), found)


def _of_another_label(rows: np.ndarray, groups_N: np.ndarray, targets_N: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows whose group has several labels; and for each another row of its group."""
    if not len(rows):
        return rows, rows
    targets = targets_N[rows].reshape(len(rows), -1)
    _, first, group = np.unique(groups_N[rows], return_index=True, return_inverse=True)
    differs = (targets != targets[first[group]]).any(axis=1)
    odd_one = np.full(len(first), -1)
    odd_one[group[differs]] = np.flatnonzero(differs)
    others = np.where(differs, first[group], odd_one[group])
    return rows[others >= 0], rows[others[others >= 0]]


def _parts(is_trained: bool, is_tested: bool) -> list[str]:
    return [name for name, has in (("train", is_trained), ("test", is_tested)) if has]


def _renumbered(groups: Sequence[int]) -> list[object]:
    """Number groups from 1, in order."""
    numbers: dict[int, int] = {}
    return [numbers.setdefault(group, len(numbers) + 1) for group in groups]


def _some(rows: np.ndarray, others: np.ndarray) -> list[tuple[int, int]]:
    """Return the first pairs, for a sentence."""
    return list(zip(rows[:NAMED].tolist(), others[:NAMED].tolist(), strict=True))
