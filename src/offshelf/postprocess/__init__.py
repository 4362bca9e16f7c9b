"""Transforms between the store and the classifier, fitted on training features only."""

from typing import TYPE_CHECKING, Any

from offshelf.postprocess.postprocess import Transformer, fit, fit_transform, learns, transform
from offshelf.postprocess.steps import chain

if TYPE_CHECKING:
    from offshelf.postprocess.projection import Projection
    from offshelf.postprocess.signed_power import SignedPower

__all__ = ["Projection", "SignedPower", "Transformer", "chain", "fit", "fit_transform", "learns", "transform"]


def __getattr__(name: str) -> Any:
    """Return a scikit-learn transformer, imported on first access."""
    if name == "Projection":
        from offshelf.postprocess.projection import Projection

        return Projection
    if name == "SignedPower":
        from offshelf.postprocess.signed_power import SignedPower

        return SignedPower
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
