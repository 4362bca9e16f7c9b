"""What a run has learnt, as data: kept without pickle, read without executing anything."""

from offshelf.model.answer import columns, records
from offshelf.model.model import FILE, Model, identify

__all__ = ["FILE", "Model", "columns", "identify", "records"]
