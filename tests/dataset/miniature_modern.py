"""Miniatures of data sets that are scored today."""
