"""Images that are nearly the same, by their features."""

from offshelf.duplicates.groups import NearDuplicates
from offshelf.duplicates.near import NEAR, FindsNearest, Nearest, Neighbours, NearSearch

__all__ = ["NEAR", "FindsNearest", "NearDuplicates", "NearSearch", "Nearest", "Neighbours"]
