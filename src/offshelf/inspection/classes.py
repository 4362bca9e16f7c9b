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
LEAST = 20
"""Number of images of a class that is looked at for parts."""
SAMPLE = 1000
"""Largest number of images of a class that is looked at."""
AXES = 3
"""Number of principal components along which a class may fall into two."""
SMALLEST = 0.1
"""Least share of the images in a part: fewer are odd ones, and no part."""
SEPARATED = 0.85
"""Share of the variance along an axis that two parts explain from which on they are parts. Cut in two, a normal
distribution has 2/π = 0.64, a uniform one 0.75, and two points 1. Of the ten classes of Office-Caltech10's photographs
from Caltech-256 none is above 0.82 (EfficientNet-Lite0); of their 45 pairs, taken for one class, 40 are above 0.85."""


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
    separation: float
    """Share of the variance along the axis that the two parts explain; see SEPARATED."""
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
    """Return the classes that fall into two parts along one of their first principal components, the clearest first.

    The parts are the best two of all cuts along the axis (optimal 2-means in one dimension, Fisher 1958). One axis, not
    all dimensions: with more dimensions than images any two halves of a class can be told apart.

    Args:
        rows_of: For each class the rows of its images: int64.
        features: Returns the features of some rows: float [n, D].
        seed: Of the sample of a large class.
    """
    found = [_divided(number, rows, features, seed) for number, rows in enumerate(rows_of) if len(rows) >= LEAST]
    divided = [one for one in found if one is not None]
    return sorted(divided, key=lambda one: -one.separation)[:MOST]


def _divided(
    number: int, rows: np.ndarray, features: Callable[[np.ndarray], np.ndarray], seed: int
) -> DividedClass | None:
    if len(rows) > SAMPLE:
        rows = np.sort(np.random.default_rng(seed).permutation(rows)[:SAMPLE])
    values_nD = features(rows).astype(np.float32)
    cuts = [(*best_cut(axis_n), axis_n) for axis_n in _axes(values_nD - values_nD.mean(axis=0))]
    separation, cut, axis_n = max(cuts, key=lambda one: one[0])
    if separation < SEPARATED:
        return None
    order = np.argsort(axis_n, kind="stable")
    low, high = (_central(rows[part], axis_n[part]) for part in (order[:cut], order[cut:]))
    return DividedClass(number, separation, (low, high) if len(low) >= len(high) else (high, low))


def _central(rows: np.ndarray, axis_n: np.ndarray) -> np.ndarray:
    return rows[np.argsort(np.abs(axis_n - axis_n.mean()), kind="stable")]


def _axes(centred_nD: np.ndarray) -> list[np.ndarray]:
    """Return the coordinates along the first principal components: float64 [n] each."""
    from scipy.sparse.linalg import eigsh

    gram_nn = (centred_nD @ centred_nD.T).astype(np.float64)
    if not gram_nn.any():
        return [np.zeros(len(gram_nn))]
    start = np.random.default_rng(0).standard_normal(len(gram_nn))
    values, vectors_nn = eigsh(gram_nn, AXES, v0=start)
    return list((vectors_nn * np.sqrt(np.maximum(values, 0))).T[::-1])


def best_cut(values_n: np.ndarray) -> tuple[float, int]:
    """Return the share of the variance that the best cut in two explains, and how many of the least values it cuts off.

    A part has a tenth of the values at least.
    """
    ordered = np.sort(values_n - values_n.mean())
    count, total = len(ordered), float((ordered**2).sum())
    least = max(1, int(np.ceil(SMALLEST * count)))
    sizes = np.arange(least, count - least + 1)
    if total <= 1e-12 * count or not len(sizes):
        return 0.0, least
    sums = np.cumsum(ordered)[sizes - 1]
    explained = sums**2 * count / (sizes * (count - sizes))  # sums of both parts are opposite
    best = int(explained.argmax())
    return float(explained[best] / total), int(sizes[best])
