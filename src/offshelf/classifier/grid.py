"""The grid of a hyperparameter: the estimator's parameter, its values, and how they are scored."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from offshelf.classifier.view import of_classes
from offshelf.errors import ConfigError
from offshelf.metric import METRICS, Outcome


class Scoring:
    """A metric of held-out images, as LinearSVMCV's `scoring`: a number, or with `select=per_class` one per class."""

    def __init__(self, metric: str, estimator: Any) -> None:
        """Take a metric's name, and the estimator being fitted, whose decision values are scored."""
        self.metric, self.estimator = METRICS[metric], estimator

    def __call__(self, labels: np.ndarray, decisions: np.ndarray, weights: np.ndarray) -> Any:
        """Score labels [N] or an indicator [N, K], decision values [N, P], and weights [N] or [N, K], 0 if ignored."""
        targets = np.where(weights > 0, np.where(labels > 0, 1, -1), 0) if labels.ndim == 2 else labels
        outcome = Outcome(targets, of_classes(self.estimator, decisions))
        if self.metric.by_class and getattr(self.estimator, "select", "joint") == "per_class":
            return self.metric.measure(outcome, outcome.once)[0]
        return self.metric(outcome)[0]


def grid_of(settings: Mapping[str, Any], parameter: str) -> str | None:
    """Return the estimator's parameter that takes all values of a parameter: `Cs`, or itself if it is a sequence."""
    if f"{parameter}s" in settings:
        return f"{parameter}s"
    return parameter if isinstance(settings.get(parameter), tuple | list) else None


def key_of(estimator: Any, parameter: str) -> str:
    """Return the estimator's parameter of a name, its own or that of an estimator in it (`estimator__C`)."""
    keys = [key for key in estimator.get_params() if key.rpartition("__")[2] == parameter]
    if len(keys) != 1:
        raise ConfigError(f"{type(estimator).__name__} has {len(keys) or 'no'} parameters '{parameter}'; it needs one.")
    return keys[0]


def positive_numbers(values: Any, kind: type[int] | type[float], parameter: str) -> set[float]:
    """Return distinct positive numbers of a kind."""
    listed = list(values) if isinstance(values, Sequence) and not isinstance(values, str) else [values]
    fit = [isinstance(one, int | float) and 0 < one < np.inf and one == kind(one) for one in listed]
    if not listed or not all(fit):
        wanted = "whole number" if kind is int else "number"
        raise ConfigError(f"classifier.{parameter} must be a positive {wanted} or a list of them; got {values}.")
    return {kind(one) for one in listed}


def suggested(values: Sequence[float], parameter: str, images: int) -> float:
    """Return a value to give where none of the grid can be chosen."""
    second = sorted(values)[len(values) > 1]
    return min(second, images) if parameter == "n_neighbors" else second
