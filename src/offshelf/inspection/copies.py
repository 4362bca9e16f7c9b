"""Groups of images that are the same, byte for byte or nearly."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from offshelf.dataset import ImageSet
from offshelf.dataset.repeats import equal_groups
from offshelf.duplicates import NearDuplicates, Neighbours


@dataclass(frozen=True, eq=False)
class CopyGroup:
    """Images that are the same, or nearly."""

    rows: np.ndarray
    """Rows of the images: int64."""
    is_exact: bool
    """Whether all have the same bytes."""
    likeness: float
    """That of the two that are most alike: the cosine of their centred features, or the correlation of their pixels
    where they are the same picture; 1 for equal bytes."""
    has_two_labels: bool
    parts: tuple[str, ...]
    """The parts that its images are in: `train`, `test`."""

    @property
    def crosses(self) -> bool:
        """Whether images of the group are trained on, and others tested on."""
        return len(set(self.parts)) > 1


@dataclass(frozen=True, eq=False)
class Copies:
    """The groups of a set."""

    groups_N: np.ndarray
    """Number of the group of each image: int64; most images are a group of their own."""
    groups: tuple[CopyGroup, ...]
    """Those of several images: the most alike first, of equal ones those with two labels first."""

    @staticmethod
    def of(images: ImageSet, near: NearDuplicates, neighbours: Neighbours, parts_N: np.ndarray) -> "Copies":
        """Collect the groups.

        Args:
            images: The set.
            near: Its near duplicates.
            neighbours: The nearest others of each image, with their likeness.
            parts_N: The part that each image is in, a text.
        """
        equal_N = equal_groups(images.pictures)
        groups_N = near.groups(equal_N)
        sizes = np.bincount(groups_N)
        rows = np.flatnonzero(sizes[groups_N] > 1) if len(groups_N) else np.zeros(0, np.int64)
        rows = rows[np.argsort(groups_N[rows], kind="stable")]
        parts = np.split(rows, np.flatnonzero(np.diff(groups_N[rows])) + 1) if len(rows) else []
        found = [_group(one, images, equal_N, neighbours, parts_N) for one in parts]
        return Copies(groups_N, tuple(sorted(found, key=lambda one: (-one.likeness, not one.has_two_labels))))

    @cached_property
    def count(self) -> int:
        """Number of images that could be left out, so that one of each group stays."""
        return sum(len(group.rows) - 1 for group in self.groups)


def _group(
    rows: np.ndarray, images: ImageSet, equal_N: np.ndarray, neighbours: Neighbours, parts_N: np.ndarray
) -> CopyGroup:
    has_equal = len(np.unique(equal_N[rows])) < len(rows)
    found_nk, cosines_nk = neighbours.rows_Nk[rows], neighbours.cosines_Nk[rows]
    inside_nk = np.isin(found_nk, rows)
    cosine = float(cosines_nk[inside_nk].max(initial=-1.0)) if inside_nk.any() else 1.0
    targets = images.targets[rows]
    return CopyGroup(
        rows,
        len(np.unique(equal_N[rows])) == 1,
        1.0 if has_equal else min(cosine, 1.0),
        bool((targets != targets[:1]).any()),
        tuple(dict.fromkeys(parts_N[rows].tolist())),
    )
