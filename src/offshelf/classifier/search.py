"""Cross-validation over images, for estimators without their own."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from offshelf.classifier.view import rows
from offshelf.process.cores import usable_cores
from offshelf.svm.cross_validation import Split

Measure = Callable[[Any, np.ndarray, np.ndarray, tuple[int, int]], float]
"""Quality of a fitted estimator on images: values [M, V, D], their targets, the numbers of its candidate and split."""


def cross_validate(
    candidates: Sequence[Any], values_NVD: np.ndarray, targets: np.ndarray, measure: Measure, splits: Iterable[Split]
) -> np.ndarray:
    """Measure unfitted estimators on the held-out images of each split: float64 [len(candidates), splits].

    All views of an image are on one side. In training each is a sample; a held-out image is scored from all its views.
    """
    from threadpoolctl import threadpool_limits

    splits = list(splits)

    def score(number: int) -> list[float]:
        train, held_out = splits[number]
        scores = []
        for row, candidate in enumerate(candidates):
            fitted = fit(candidate, values_NVD[train], targets[train])
            scores.append(measure(fitted, values_NVD[held_out], targets[held_out], (row, number)))
        return scores

    cores = len(usable_cores())
    # libsvm, liblinear and BLAS release the interpreter lock; folds and BLAS threads together use each core once.
    with threadpool_limits(max(1, cores // len(splits))), ThreadPoolExecutor(cores) as pool:
        return np.array(list(pool.map(score, range(len(splits))))).T


def fit(estimator: Any, values_NVD: np.ndarray, targets: np.ndarray) -> Any:
    """Return a fitted copy; each view is a training sample."""
    from sklearn.base import clone

    return clone(estimator).fit(rows(values_NVD), np.repeat(targets, values_NVD.shape[1], axis=0))
