"""Linear support vector machines for dense features: scikit-learn estimators with a certified duality gap."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from offshelf.svm.cross_validation import GridEdgeWarning
    from offshelf.svm.linear_svm import LinearSVM
    from offshelf.svm.linear_svm_cv import LinearSVMCV

__all__ = ["GridEdgeWarning", "LinearSVM", "LinearSVMCV"]


def __getattr__(name: str) -> Any:
    """Import the estimators, and scikit-learn with them, on first access."""
    if name == "LinearSVM":
        from offshelf.svm.linear_svm import LinearSVM

        return LinearSVM
    if name == "LinearSVMCV":
        from offshelf.svm.linear_svm_cv import LinearSVMCV

        return LinearSVMCV
    if name == "GridEdgeWarning":
        from offshelf.svm.cross_validation import GridEdgeWarning

        return GridEdgeWarning
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
