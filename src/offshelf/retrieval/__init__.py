"""Retrieval: the similarity of each reference to a query, by exact search over all references or approximately."""

from offshelf.retrieval.approximate import Approximate
from offshelf.retrieval.retrieval import Nearest, Retrieval, SpatialSearch

__all__ = ["Approximate", "Nearest", "Retrieval", "SpatialSearch"]
