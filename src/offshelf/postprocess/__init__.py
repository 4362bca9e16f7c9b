"""Transforms between the store and the classifier, fitted on training features only."""

from typing import TYPE_CHECKING, Any

from offshelf.postprocess.postprocess import Transformer, adapted, adapts, fit, fit_transform, learns, transform
from offshelf.postprocess.steps import by_part, chain, sequence

if TYPE_CHECKING:
    from offshelf.postprocess.domains import DomainScaler
    from offshelf.postprocess.parts import ByPart
    from offshelf.postprocess.projection import Projection
    from offshelf.postprocess.signed_power import SignedPower

__all__ = [
    "ByPart",
    "DomainScaler",
    "Projection",
    "SignedPower",
    "Transformer",
    "adapted",
    "adapts",
    "by_part",
    "chain",
    "fit",
    "fit_transform",
    "learns",
    "sequence",
    "transform",
]


def __getattr__(name: str) -> Any:
    """Return a scikit-learn transformer, imported on first access."""
    if name == "ByPart":
        from offshelf.postprocess.parts import ByPart

        return ByPart
    if name == "DomainScaler":
        from offshelf.postprocess.domains import DomainScaler

        return DomainScaler
    if name == "Projection":
        from offshelf.postprocess.projection import Projection

        return Projection
    if name == "SignedPower":
        from offshelf.postprocess.signed_power import SignedPower

        return SignedPower
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
