"""Feature extraction: the only package that runs networks, and the only one that imports Lightning."""

from offshelf.extractor.again import Comparison, recheck
from offshelf.extractor.extractor import Extractor, Request
from offshelf.extractor.features import Cost, Features, ensure, fill
from offshelf.extractor.forecast import Forecast, foresee
from offshelf.extractor.networks import Networks

__all__ = [
    "Comparison",
    "Cost",
    "Extractor",
    "Features",
    "Forecast",
    "Networks",
    "Request",
    "ensure",
    "fill",
    "foresee",
    "recheck",
]
