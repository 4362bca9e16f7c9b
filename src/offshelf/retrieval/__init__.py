"""Retrieval: how near each reference is to a query, by exact search over all of them, or by an approximate one."""

from offshelf.retrieval.approximate import Approximate
from offshelf.retrieval.retrieval import Nearest, Retrieval, SpatialSearch

__all__ = ["Approximate", "Nearest", "Retrieval", "SpatialSearch"]
