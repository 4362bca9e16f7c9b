"""Ridge regression for dense features: scikit-learn estimators that fit a whole grid from one factorisation."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from offshelf.ridge.ridge_probe import RidgeProbe
    from offshelf.ridge.ridge_probe_cv import RidgeProbeCV

__all__ = ["RidgeProbe", "RidgeProbeCV"]


def __getattr__(name: str) -> Any:
    """Import the estimators, and scikit-learn with them, on first access."""
    if name == "RidgeProbe":
        from offshelf.ridge.ridge_probe import RidgeProbe

        return RidgeProbe
    if name == "RidgeProbeCV":
        from offshelf.ridge.ridge_probe_cv import RidgeProbeCV

        return RidgeProbeCV
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
