"""Logistic regression for dense features, the linear probe: scikit-learn estimators with a certified duality gap."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from offshelf.logistic.logistic_probe import LogisticProbe
    from offshelf.logistic.logistic_probe_cv import LogisticProbeCV

__all__ = ["LogisticProbe", "LogisticProbeCV"]


def __getattr__(name: str) -> Any:
    """Import the estimators, and scikit-learn with them, on first access."""
    if name == "LogisticProbe":
        from offshelf.logistic.logistic_probe import LogisticProbe

        return LogisticProbe
    if name == "LogisticProbeCV":
        from offshelf.logistic.logistic_probe_cv import LogisticProbeCV

        return LogisticProbeCV
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
