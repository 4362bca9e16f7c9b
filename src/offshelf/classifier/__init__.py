"""Classifiers on frozen features, and the choice of their one hyperparameter."""

from offshelf.classifier.calibration import Calibration
from offshelf.classifier.classifier import Calibrating, Classifier, Curve, Few, FitResult, Predictive
from offshelf.classifier.kernel import gram
from offshelf.classifier.scorer import Scorer
from offshelf.classifier.tuned import Tuned

__all__ = [
    "Calibrating",
    "Calibration",
    "Classifier",
    "Curve",
    "Few",
    "FitResult",
    "Predictive",
    "Scorer",
    "Tuned",
    "gram",
]
