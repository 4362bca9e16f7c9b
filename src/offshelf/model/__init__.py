"""Fitted models of runs as data, written without pickle and read without executing anything."""

from offshelf.model.answer import columns, records
from offshelf.model.model import FILE, Model, identify

__all__ = ["FILE", "Model", "columns", "identify", "records"]
