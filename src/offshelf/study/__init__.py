"""Studies: the question of a folder, the tracked runs that answer it, and published numbers, side by side."""

from offshelf.study.study import Column, Study, StudyRow, read_study

__all__ = ["Column", "Study", "StudyRow", "read_study"]
