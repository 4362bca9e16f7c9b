"""Measures how good off-the-shelf features are for an image set."""

__version__ = "0.1.0"
