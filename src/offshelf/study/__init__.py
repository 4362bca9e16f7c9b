"""Studies: a folder's question, the tracked runs that answer it, and what was published, side by side."""

from offshelf.study.study import Column, Row, Study, read_study

__all__ = ["Column", "Row", "Study", "read_study"]
