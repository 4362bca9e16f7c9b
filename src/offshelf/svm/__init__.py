"""Linear support vector machines for dense features: scikit-learn estimators with a certified duality gap."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from offshelf.svm.linear_svm import LinearSVM
    from offshelf.svm.linear_svm_cv import GridEdgeWarning, LinearSVMCV

__all__ = ["GridEdgeWarning", "LinearSVM", "LinearSVMCV"]


def __getattr__(name: str) -> Any:
    """Import the estimators, and scikit-learn with them, on first access."""
    if name == "LinearSVM":
        from offshelf.svm.linear_svm import LinearSVM

        return LinearSVM
    if name in ("GridEdgeWarning", "LinearSVMCV"):
        from offshelf.svm import linear_svm_cv

        return getattr(linear_svm_cv, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
