"""k nearest neighbours on dense features, by the exact search of `offshelf.retrieval`: a scikit-learn estimator."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from offshelf.knn.knn_probe import KNNProbe

__all__ = ["KNNProbe"]


def __getattr__(name: str) -> Any:
    """Import the estimator, and scikit-learn with it, on first access."""
    if name == "KNNProbe":
        from offshelf.knn.knn_probe import KNNProbe

        return KNNProbe
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
