"""Near duplicates: images whose features are almost the same, by exact search."""

from offshelf.duplicates.near import NEAR, Nearest, NearSearch

__all__ = ["NEAR", "NearSearch", "Nearest"]
