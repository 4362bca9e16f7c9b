"""Settings of a tuned classifier, checked before any work."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from offshelf.classifier.view import predicts_numbers
from offshelf.errors import ConfigError
from offshelf.metric import kind_of
from offshelf.suggest import did_you_mean
from offshelf.svm.fusion import FUSIONS


def require_settings(estimator: Any, folds: int, simplest: str, fusion: str, switches: Mapping[str, bool]) -> None:
    """Check what `Tuned` was given besides its grid; `switches` are those that are true or false, by name.

    Raises:
        ConfigError: one cannot be used, or not with an estimator that predicts numbers.
    """
    if folds < 2:
        raise ConfigError(f"classifier.folds must be at least 2; got {folds}.")
    if simplest not in ("smallest", "largest"):
        raise ConfigError(f"classifier.simplest must be smallest or largest; got '{simplest}'.")
    for name, value in switches.items():
        if not isinstance(value, bool):
            raise ConfigError(f"classifier.{name} must be true or false; got '{value}'.")
    if fusion not in (*FUSIONS, "features"):
        raise ConfigError(f"classifier.fusion cannot be '{fusion}'{did_you_mean(fusion, (*FUSIONS, 'features'))}")
    if predicts_numbers(estimator):
        _require_for_numbers(type(estimator).__name__, fusion, switches["calibrate"])


def _require_for_numbers(name: str, fusion: str, calibrate: bool) -> None:
    if fusion not in ("mean", "features"):
        raise ConfigError(f"classifier.fusion is mean or features for {name}, which predicts numbers; got '{fusion}'.")
    if calibrate:
        raise ConfigError(f"{name} predicts numbers, which have no probabilities: classifier.calibrate=false")


def require_kind(estimator: Any, targets: np.ndarray) -> None:
    """Raise ConfigError if an estimator of classes is given numbers, or one of numbers classes."""
    if predicts_numbers(estimator) != (kind_of(targets) == "number"):
        mine, theirs = ("numbers", "classes") if predicts_numbers(estimator) else ("classes", "numbers")
        raise ConfigError(f"{type(estimator).__name__} predicts {mine}, and the targets are {theirs}.")


@contextmanager
def refusals(estimator: Any) -> Iterator[None]:
    """Report scikit-learn's rejection of settings in one sentence."""
    try:
        yield
    except ConfigError:
        raise
    except ValueError as error:
        name = type(estimator).__name__
        raise ConfigError(f"{name} cannot be used with these settings: {' '.join(str(error).split())}") from error
