"""Fusion of an image's views: one response from the responses to each view.

Axes: N images, R rows (views of all images), P responses (classes, or pairs of classes; no axis for two classes).
"""

from typing import Literal

import numpy as np

Fusion = Literal["sum", "mean", "max"]
FUSIONS = ("sum", "mean", "max")


def fuse(responses_RP: np.ndarray, images_R: np.ndarray, fusion: Fusion, is_two_sided: bool) -> np.ndarray:
    """One response an image, [N, P], from one a view, [R, P]; [N] from [R].

    The 2014 paper, section 3.3, finds the sum better than the maximum.

    Args:
        responses_RP: Of all views.
        images_R: The image of each, as a number; images come out in the order of their numbers.
        fusion: `sum`, `mean`, or `max`: of all views the one that responds most.
        is_two_sided: Whether a response speaks for one class where it is positive and for another where it is negative.
            The largest response for the other is then the least one, and the two maxima are weighed up: max + min.
    """
    order = np.argsort(images_R, kind="stable")
    starts, counts = np.unique(images_R[order], return_index=True, return_counts=True)[1:]
    ordered: np.ndarray = responses_RP[order]
    if fusion == "max":
        largest = np.maximum.reduceat(ordered, starts, axis=0)
        return largest + np.minimum.reduceat(ordered, starts, axis=0) if is_two_sided else largest
    if len(starts) == len(ordered):  # one view an image
        return ordered
    sums = np.add.reduceat(ordered, starts, axis=0)
    return sums if fusion == "sum" else (sums.T / counts.astype(sums.dtype)).T
