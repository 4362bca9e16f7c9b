"""Linear classifiers on frozen features, and how their C is chosen."""

from offshelf.classifier.classifier import Classifier, Curve, Fit
from offshelf.classifier.svm import LinearSVM

__all__ = ["Classifier", "Curve", "Fit", "LinearSVM"]
