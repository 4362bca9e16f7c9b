"""Fusion of the decision values of several observations of a sample.

Axes: N samples, R rows (observations of all samples), P decision values (classes, or pairs of classes; no axis for two
classes).
"""

from typing import Literal

import numpy as np

Fusion = Literal["sum", "mean", "max"]
FUSIONS = ("sum", "mean", "max")


def fuse(decisions_RP: np.ndarray, samples_R: np.ndarray, fusion: Fusion, is_two_sided: bool) -> np.ndarray:
    """Return one decision value per sample, [N, P], from one per row, [R, P]; [N] from [R].

    Args:
        decisions_RP: Decision values of all rows.
        samples_R: The number of each row's sample; the result is in the order of these numbers.
        fusion: `sum`, `mean` or `max`.
        is_two_sided: Whether a negative value speaks for another class, as a positive one does for its class. The
            largest response for the other class is then the minimum, and `max` returns the sum of both extremes, max +
            min.
    """
    order = np.argsort(samples_R, kind="stable")
    starts, counts = np.unique(samples_R[order], return_index=True, return_counts=True)[1:]
    ordered: np.ndarray = decisions_RP[order]
    if fusion == "max":
        largest = np.maximum.reduceat(ordered, starts, axis=0)
        return largest + np.minimum.reduceat(ordered, starts, axis=0) if is_two_sided else largest
    if len(starts) == len(ordered):  # one row per sample
        return ordered
    sums = np.add.reduceat(ordered, starts, axis=0)
    return sums if fusion == "sum" else (sums.T / counts.astype(sums.dtype)).T


def sample_numbers(groups: np.ndarray, y: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the number of each row's sample [R]. Raises ValueError if rows of a group differ in label or weight."""
    if np.shape(groups) != (len(y),):
        raise ValueError(f"groups must be {len(y)} group labels; got shape {np.shape(groups)}.")
    names, first, samples = np.unique(groups, return_index=True, return_inverse=True)
    for what, values in (("labels", y), ("weights", weights)):
        differ = (values != values[first][samples]).reshape(len(y), -1).any(axis=1)
        if differ.any():
            raise ValueError(
                "The rows of a group are observations of one sample, but those of group "
                f"'{names[samples[differ][0]]}' have several {what}. To keep different samples in one fold, use "
                "cv=list(GroupKFold(5).split(X, y, groups))."
            )
    return samples


def of_samples(values: np.ndarray, samples: np.ndarray) -> np.ndarray:
    """Return the values of the first row of each sample, in the order of samples."""
    first: np.ndarray = values[np.unique(samples, return_index=True)[1]]
    return first
