"""Linear and nearest-neighbour classifiers on frozen features, and how their one hyperparameter is chosen."""

from typing import TYPE_CHECKING, Any

from offshelf.classifier.calibration import Calibration
from offshelf.classifier.classifier import Classifier, Curve, Fit
from offshelf.classifier.kernel import gram
from offshelf.classifier.scorer import Scorer
from offshelf.classifier.tuned import Tuned

if TYPE_CHECKING:
    from offshelf.classifier.linear_svm import LinearSVM
    from offshelf.classifier.linear_svm_cv import GridEdgeWarning, LinearSVMCV

__all__ = [
    "Calibration",
    "Classifier",
    "Curve",
    "Fit",
    "GridEdgeWarning",
    "LinearSVM",
    "LinearSVMCV",
    "Scorer",
    "Tuned",
    "gram",
]


def __getattr__(name: str) -> Any:
    """The scikit-learn estimators, imported with scikit-learn when they are first asked for."""
    if name == "LinearSVM":
        from offshelf.classifier.linear_svm import LinearSVM

        return LinearSVM
    if name in ("GridEdgeWarning", "LinearSVMCV"):
        from offshelf.classifier import linear_svm_cv

        return getattr(linear_svm_cv, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
