"""Classes that are one class: pairs that are confused in both directions, and classes that fall into two."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

MOST = 50
"""Number of pairs, and of divided classes, that are kept."""
LEVEL = 1.96
"""Standard normal quantile of the intervals: 95 %."""
ONE_CLASS = 0.25
"""Lower end of the interval of a pair's error from which on the pair is flagged: half of what chance would have."""
LEAST = 8
"""Number of images of a class that is looked at for parts."""
SAMPLE = 1000
"""Largest number of images of a class that is looked at."""
SILHOUETTE = 0.25
"""Silhouette from which on a class has a structure (Kaufman & Rousseeuw, Finding Groups in Data, 1990, table 4)."""
ROUNDS = 50
"""Largest number of Lloyd's iterations."""


@dataclass(frozen=True)
class ConfusedPair:
    """Two classes that are taken for each other."""

    one: int
    other: int
    """Numbers of the classes."""
    taken: tuple[int, int]
    """Number of images of the first that are taken for the second, and the other way round."""
    counts: tuple[int, int]
    """Number of images of each that are taken for one of the two."""
    error: float
    """Mean of both shares that are taken for the other class: 0 where they are told apart, 0.5 by guessing."""
    low: float
    """Lower end of its interval, of 95 %."""

    @property
    def is_flagged(self) -> bool:
        """Whether the classes are hardly told apart."""
        return self.low >= ONE_CLASS


@dataclass(frozen=True, eq=False)
class DividedClass:
    """A class whose images fall into two parts."""

    number: int
    silhouette: float
    parts: tuple[np.ndarray, np.ndarray]
    """Rows of the images of each part, the larger part first, the most central images first: int64."""


def confused_pairs(confusion_KK: np.ndarray) -> list[ConfusedPair]:
    """Return the pairs of classes with mistakes in both directions, those that are told apart worst first.

    Args:
        confusion_KK: Held-out predictions: counts by label (rows) and predicted class.
    """
    rows, columns = np.nonzero(np.triu((confusion_KK > 0) & (confusion_KK.T > 0), 1))
    pairs = [_pair(confusion_KK, one, other) for one, other in zip(rows.tolist(), columns.tolist(), strict=True)]
    return sorted(pairs, key=lambda pair: (-pair.low, -pair.error, pair.one, pair.other))[:MOST]


def _pair(confusion_KK: np.ndarray, one: int, other: int) -> ConfusedPair:
    taken = int(confusion_KK[one, other]), int(confusion_KK[other, one])
    counts = taken[0] + int(confusion_KK[one, one]), taken[1] + int(confusion_KK[other, other])
    shares = [(t + 1) / (n + 2) for t, n in zip(taken, counts, strict=True)]  # as Agresti and Caffo (2000) shrink them
    variance = sum(share * (1 - share) / (n + 2) for share, n in zip(shares, counts, strict=True)) / 4
    error = sum(t / n for t, n in zip(taken, counts, strict=True)) / 2
    return ConfusedPair(one, other, taken, counts, error, max(0.0, sum(shares) / 2 - LEVEL * float(np.sqrt(variance))))


def divided_classes(
    rows_of: Sequence[np.ndarray], features: Callable[[np.ndarray], np.ndarray], seed: int = 0
) -> list[DividedClass]:
    """Return the classes that fall into two parts, the clearest first.

    Two-means, begun on both sides of the first principal component, in Euclidean distance; a part has a tenth of the
    images at least. How clear it is, is the simplified silhouette, by distances to the means (Hruschka, de Castro,
    Campello, 2004).

    Args:
        rows_of: For each class the rows of its images: int64.
        features: Returns the features of some rows: float [n, D].
        seed: Of the sample of a large class.
    """
    found = [_divided(number, rows, features, seed) for number, rows in enumerate(rows_of) if len(rows) >= LEAST]
    divided = [one for one in found if one is not None]
    return sorted(divided, key=lambda one: -one.silhouette)[:MOST]


def _divided(
    number: int, rows: np.ndarray, features: Callable[[np.ndarray], np.ndarray], seed: int
) -> DividedClass | None:
    if len(rows) > SAMPLE:
        rows = np.sort(np.random.default_rng(seed).permutation(rows)[:SAMPLE])
    values_nD = features(rows).astype(np.float32)
    is_second, distances_2n = _two_means(values_nD - values_nD.mean(axis=0))
    count = int(is_second.sum())
    if min(count, len(rows) - count) < max(2, len(rows) / 10):
        return None
    own, other = (np.where(is_second == part, distances_2n[1], distances_2n[0]) for part in (True, False))
    silhouette = float(np.mean((other - own) / np.maximum(np.maximum(own, other), 1e-12)))
    if silhouette < SILHOUETTE:
        return None
    nearest = np.argsort(own, kind="stable")
    parts = [rows[nearest[is_second[nearest] == part]] for part in (False, True)]
    return DividedClass(number, silhouette, tuple(sorted(parts, key=len, reverse=True)))  # type: ignore[arg-type]


def _two_means(centred_nD: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which rows are of the second mean, bool [n], and the distances to both means, [2, n]."""
    direction = _first_direction(centred_nD)
    is_second = centred_nD @ direction > 0
    distances_2n = np.zeros((2, len(centred_nD)), np.float32)
    for _ in range(ROUNDS):
        if is_second.all() or not is_second.any():
            break
        means = [centred_nD[is_second == part].mean(axis=0) for part in (False, True)]
        distances_2n = np.stack([np.linalg.norm(centred_nD - mean, axis=1) for mean in means])
        moved = distances_2n[1] < distances_2n[0]
        if (moved == is_second).all():
            break
        is_second = moved
    return is_second, distances_2n


def _first_direction(centred_nD: np.ndarray, rounds: int = 12) -> np.ndarray:
    """Return about the first principal component, by the power method from the row that is farthest from the mean."""
    direction = centred_nD[np.linalg.norm(centred_nD, axis=1).argmax()].copy()
    for _ in range(rounds):
        direction = centred_nD.T @ (centred_nD @ direction)
        norm = float(np.linalg.norm(direction))
        if norm == 0:
            break
        direction /= norm
    return direction
