"""Feature extraction: the only package that runs networks, and the only one that imports Lightning."""

from offshelf.extractor.extractor import Extractor, Features, Request, ensure

__all__ = ["Extractor", "Features", "Request", "ensure"]
