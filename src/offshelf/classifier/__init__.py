"""Linear and nearest-neighbour classifiers on frozen features, and how their one hyperparameter is chosen."""

from offshelf.classifier.classifier import Classifier, Curve, Fit
from offshelf.classifier.kernel import gram
from offshelf.classifier.tuned import Tuned

__all__ = ["Classifier", "Curve", "Fit", "Tuned", "gram"]
