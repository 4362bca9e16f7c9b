"""Cross-validation over images, for estimators that do not do it themselves."""

import logging
import os
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np

from offshelf.classifier.view import predict, rows

log = logging.getLogger(__name__)


def cross_validate(
    candidates: Sequence[Any], values_NVD: np.ndarray, targets_N: np.ndarray, folds: int, seed: int
) -> np.ndarray:
    """Accuracies of unfitted estimators on stratified folds of the images: float64 [len(candidates), folds].

    All views of an image are in one fold: each is a training sample, and held-out images are predicted from all theirs.
    """
    from sklearn.model_selection import StratifiedKFold
    from threadpoolctl import threadpool_limits

    splits = StratifiedKFold(folds, shuffle=True, random_state=seed).split(targets_N, targets_N)

    def score(split: tuple[np.ndarray, np.ndarray]) -> list[float]:
        train, held_out = split
        values, targets = values_NVD[train], targets_N[train]
        fitted = (fit(candidate, values, targets) for candidate in candidates)
        return [float(np.mean(predict(one, values_NVD[held_out]) == targets_N[held_out])) for one in fitted]

    cores = os.cpu_count() or 1
    # libsvm, liblinear and BLAS release the interpreter lock; folds at once and BLAS together take each core once.
    with threadpool_limits(max(1, cores // folds)), ThreadPoolExecutor(cores) as pool:
        return np.array(list(pool.map(score, splits))).T


def fit(estimator: Any, values_NVD: np.ndarray, targets_N: np.ndarray) -> Any:
    """A fitted copy; each view is a training sample."""
    from sklearn.base import clone

    return clone(estimator).fit(rows(values_NVD), np.repeat(targets_N, values_NVD.shape[1]))


@contextmanager
def convergence_logged() -> Iterator[None]:
    """Fits that stopped early are counted and logged as one line; other warnings go their way."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        yield
    early = [warning for warning in caught if issubclass(warning.category, ConvergenceWarning)]
    for warning in caught:
        if warning not in early:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    if early:
        log.warning("%d fit(s) are approximate: %s", len(early), str(early[0].message).splitlines()[0])
