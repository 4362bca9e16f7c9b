"""Retrieval: how near each reference is to a query, by exact search over all of them."""

from offshelf.retrieval.retrieval import Nearest, Retrieval, SpatialSearch

__all__ = ["Nearest", "Retrieval", "SpatialSearch"]
