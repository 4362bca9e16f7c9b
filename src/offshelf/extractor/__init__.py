"""Feature extraction: the only package that runs networks and imports Lightning."""

from offshelf.extractor.extractor import Extractor
from offshelf.extractor.features import Cost, Features, extract_missing, get_or_extract
from offshelf.extractor.forecast import Forecast, estimate
from offshelf.extractor.networks import Networks
from offshelf.extractor.request import Request
from offshelf.extractor.verification import Comparison, recheck

__all__ = [
    "Comparison",
    "Cost",
    "Extractor",
    "Features",
    "Forecast",
    "Networks",
    "Request",
    "estimate",
    "extract_missing",
    "get_or_extract",
    "recheck",
]
