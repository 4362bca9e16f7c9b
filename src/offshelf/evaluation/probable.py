"""Outcomes in probabilities, before and after calibration."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from offshelf.classifier import FitResult
from offshelf.metric import Outcome

Map = Callable[[np.ndarray], np.ndarray]
"""Function from scores to probabilities, float64 [M, K] each."""


def probable_outcomes(fits: Sequence[FitResult], outcomes: Sequence[Outcome]) -> dict[str, tuple[Outcome, ...]]:
    """Return outcomes whose scores are probabilities of classes; empty for a classifier without.

    `reported` are the probabilities that the model gives: calibrated, or a logistic probe's own. If it was calibrated,
    `uncalibrated` are those without; see `classifier.calibration.uncalibrated`.

    A calibration is learnt on the training images of its fold alone (`FitResult`), and folds that train and test on the
    same sample are refused (`dataset.consistency`), so that no image counts here on which a calibration was fitted.
    """
    found = {
        "reported": _converted(outcomes, [fit.calibration for fit in fits]),
        "uncalibrated": _converted(outcomes, [fit.uncalibrated for fit in fits]),
    }
    return {kind: converted for kind, converted in found.items() if converted}


def _converted(outcomes: Sequence[Outcome], maps: Sequence[Map | None]) -> tuple[Outcome, ...]:
    """Return nothing if a fold has no probabilities."""
    pairs = zip(outcomes, maps, strict=True)
    found = [replace(one, scores=to_likely(one.scores)) for one, to_likely in pairs if to_likely]
    return tuple(found) if len(found) == len(outcomes) else ()
