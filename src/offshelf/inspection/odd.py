"""Odd ones out: images far from every class, and images whose pixels are unlike those of all others."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from offshelf.duplicates import Neighbours
from offshelf.inspection.pixels import PixelStatistics

FENCE = 1.5
"""Interquartile ranges beyond a quartile from which on a number is outside (Tukey, Exploratory Data Analysis, 1977)."""
DARK, LIGHT, NARROW = 0.32, 0.95, 0.35
"""Largest `bright`, least `dim` and largest ratio of the sides, as in cleanvision 0.3."""
ONE_COLOUR = 0.99
"""Share of pixels of one colour: what differs in less than one in a hundred is hardly a picture of anything."""
TINY_SIDE, TINY_SHARE = 32, 0.25
"""The shorter side of a tiny image is below so many pixels and below this share of the set's median."""
BLURRED = 0.04
"""Largest `sharp` of a blurred image, which is outside too. Of the 2,533 photographs of Office-Caltech10 none is below
0.042; blurred by a Gaussian of 1/32 of the longest side and saved as JPEG again, 95 % of a sample are below 0.01."""
PREVALENT = 0.5
"""Share of images from which on a kind is the nature of the set, and nobody's oddity (cleanvision's max_prevalence)."""
NEAREST = 10
"""Largest number of neighbours by which an image is near to a class."""

KINDS = {
    "far": "far from every class",
    "one colour": "of one colour",
    "dark": "extremely dark",
    "light": "extremely bright",
    "blurred": "blurred",
    "tiny": "tiny",
    "narrow": "of an odd aspect ratio",
}
"""Kinds of odd images, in words, in the order of the lists."""


@dataclass(frozen=True, eq=False)
class OddImages:
    """The odd ones among N images."""

    distances_N: np.ndarray
    """Mean cosine distance of the centred features to the nearest neighbours: float64, 0 to 2."""
    by_kind: Mapping[str, np.ndarray]
    """For each kind how odd each image is, float64 [N]: above 0 where it is, the more the odder."""
    prevalent: Mapping[str, int]
    """Kinds that most images are of, which are not in `by_kind`, and the number of these images."""

    @staticmethod
    def of(neighbours: Neighbours, usual: int, pixels: PixelStatistics | None) -> "OddImages":
        """Find them.

        Args:
            neighbours: Of each image.
            usual: Number of images of a usual class, beyond which neighbours are of other classes.
            pixels: Numbers of the pixels; None: there are none.
        """
        distances_N = distances(neighbours, usual)
        found = {"far": _beyond(distances_N)} | (_of_pixels(pixels) if pixels else {})
        counts = {kind: int((odd > 0).sum()) for kind, odd in found.items()}
        prevalent = {kind: count for kind, count in counts.items() if count > PREVALENT * len(distances_N)}
        return OddImages(distances_N, {kind: odd for kind, odd in found.items() if kind not in prevalent}, prevalent)

    @cached_property
    def is_odd(self) -> np.ndarray:
        """Whether an image is odd in some way: bool [N]."""
        return np.any([odd > 0 for odd in self.by_kind.values()], axis=0)

    def kinds(self, row: int) -> list[str]:
        """Return the kinds that an image is of."""
        return [kind for kind in KINDS if kind in self.by_kind and self.by_kind[kind][row] > 0]

    @cached_property
    def order(self) -> np.ndarray:
        """Rows of the odd images, int64: the oddest of each kind first, then the second of each, and so on."""
        ranks = np.full(len(self.distances_N), np.inf)
        for odd in self.by_kind.values():
            rows = np.flatnonzero(odd > 0)
            places = np.empty(len(rows))
            places[np.argsort(-odd[rows], kind="stable")] = np.arange(len(rows))
            ranks[rows] = np.minimum(ranks[rows], places)
        rows = np.flatnonzero(self.is_odd)
        return rows[np.argsort(ranks[rows], kind="stable")]


def distances(neighbours: Neighbours, usual: int) -> np.ndarray:
    """Return the mean distance to the k nearest others, k at most one less than the images of a usual class: [N].

    Sun, Ming, Zhu, Li: Out-of-Distribution Detection with Deep Nearest Neighbors, ICML 2022.
    """
    count = max(1, min(NEAREST, usual - 1))
    cosines_Nk = neighbours.cosines_Nk[:, :count]
    return 1 - cosines_Nk.mean(axis=1) if cosines_Nk.shape[1] else np.zeros(len(cosines_Nk))


def _of_pixels(pixels: PixelStatistics) -> dict[str, np.ndarray]:
    shorter, longer = np.minimum(pixels.width, pixels.height), np.maximum(pixels.width, pixels.height)
    sharpness = np.log(np.maximum(pixels.sharp, 1e-6))
    is_even = pixels.even >= ONE_COLOUR
    least = min(TINY_SIDE, TINY_SHARE * float(np.median(shorter)))
    blurred = np.minimum(_beyond(-sharpness), np.log(BLURRED) - sharpness)
    return {
        "one colour": np.where(is_even, 1 + pixels.even - ONE_COLOUR, 0),
        "dark": np.where(is_even, 0, DARK - pixels.bright),
        "light": np.where(is_even, 0, pixels.dim - LIGHT),
        "blurred": np.where(is_even, 0, blurred),
        "tiny": least - shorter,
        "narrow": NARROW - shorter / longer,
    }


def _beyond(values_N: np.ndarray) -> np.ndarray:
    """Return by how much numbers are above FENCE interquartile ranges beyond the third quartile."""
    low, high = np.percentile(values_N, [25, 75]) if len(values_N) else (0.0, 0.0)
    return values_N - (high + FENCE * max(high - low, 1e-9))
