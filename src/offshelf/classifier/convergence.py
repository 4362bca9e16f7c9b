"""Detection of fits that stopped short of their optimum, for any solver, reported in one line."""

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import numpy as np

LARGE_GAP = 1e-3
"""Relative duality gap of a fit that is reported."""

log = logging.getLogger(__name__)

_place: ContextVar[str] = ContextVar("place", default="")


@contextmanager
def fitting(place: str) -> Iterator[None]:
    """Name the place of the fits in this block, a layer or a fold, for the report."""
    token = _place.set(place)
    try:
        yield
    finally:
        _place.reset(token)


@dataclass
class Convergence:
    """The convergence of the fits of one search."""

    parameter: str
    short: list[tuple[float, str]] = field(default_factory=list)
    """The hyperparameter's value and the data of each fit that reached its limit of iterations."""
    said: list[str] = field(default_factory=list)
    """Warnings of the solvers."""
    loose: list[tuple[float, str]] = field(default_factory=list)
    """The hyperparameter's value and the data of each fit with a large duality gap."""
    largest_gap: float = 0.0
    gap: float | None = None
    """Gap of the fit to all training images; None without one."""

    def look(self, fitted: Any, value: float, data: str, gap: float | None = None) -> None:
        """Note an estimator that reached its limit, also in a joblib worker, whose warnings are lost; or a gap."""
        if reached_limit(fitted):
            self.short.append((value, data))
        if gap is not None and gap > LARGE_GAP:
            self.loose.append((value, data))
            self.largest_gap = max(self.largest_gap, gap)

    @property
    def count(self) -> int:
        """Return the number of fits that stopped short."""
        return max(len(self.short), len(self.said), len(self.loose))

    def tell(self, estimator: Any) -> None:
        """Log one line, if there is something to report."""
        if not self.count:
            return
        limit = [self._limits(estimator)] if self.short else self.said[:1]
        what = " ".join([*limit, *([self._gaps(estimator)] if self.loose else [])])
        place = _place.get()
        log.warning("%s%d fit(s) are approximate: %s", f"{place}: " if place else "", self.count, what)

    def _listed(self, fits: Sequence[tuple[float, str]]) -> str:
        at: dict[float, list[str]] = {}
        for value, data in fits:
            at.setdefault(value, []).append(data)
        return "; ".join(f"{self.parameter}={value:g} ({', '.join(data)})" for value, data in sorted(at.items()))

    def _gaps(self, estimator: Any) -> str:
        key = next((key for key in estimator.get_params() if key.rpartition("__")[2] == "tol"), "tol")
        return (
            f"{type(estimator).__name__} stopped short of the optimum at {self._listed(self.loose)}: the largest "
            f"relative duality gap is {self.largest_gap:.1g}. Use classifier=logistic or logistic_ovr, whose gaps are "
            f"certified, or set classifier.estimator.{key.replace('__', '.')} to a smaller number."
        )

    def _limits(self, estimator: Any) -> str:
        listed, settings = self._listed(self.short), estimator.get_params()
        key = next((key for key in settings if key.rpartition("__")[2] == "max_iter"), "max_iter")
        return (
            f"{type(estimator).__name__} reached max_iter={settings.get(key)} at {listed}. Raise "
            f"classifier.estimator.{key.replace('__', '.')}, scale the features (postprocess=standardize), or leave "
            f"out these values of {self.parameter}."
        )


@contextmanager
def watched(estimator: Any, parameter: str) -> Iterator[Convergence]:
    """Count the fits in this block; other warnings than those of convergence pass."""
    from sklearn.exceptions import ConvergenceWarning

    found = Convergence(parameter)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        yield found
    for warning in caught:
        if issubclass(warning.category, ConvergenceWarning):
            found.said.append(str(warning.message).splitlines()[0])
        else:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    found.tell(estimator)


def reached_limit(fitted: Any) -> bool:
    """Return whether an iterative linear or kernel model, or one inside an ensemble, used all its iterations.

    For other estimators, such as boosted trees, `max_iter` is the size of the model.
    """
    limit, taken = getattr(fitted, "max_iter", None), getattr(fitted, "n_iter_", None)
    is_iterative = any(hasattr(fitted, name) for name in ("coef_", "dual_coef_", "coefs_"))
    if is_iterative and limit and limit > 0 and taken is not None and getattr(fitted, "tol", 0) is not None:
        return int(np.max(taken)) >= limit
    parts = getattr(fitted, "estimators_", None) or getattr(fitted, "fitted_", None) or ()
    return any(reached_limit(part) for part in parts)
