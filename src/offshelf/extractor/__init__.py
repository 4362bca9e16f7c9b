"""Feature extraction: the only package that runs networks, and the only one that imports Lightning."""

from offshelf.extractor.extractor import Extractor, Request
from offshelf.extractor.features import Cost, Features, ensure, fill
from offshelf.extractor.forecast import Forecast, foresee

__all__ = ["Cost", "Extractor", "Features", "Forecast", "Request", "ensure", "fill", "foresee"]
