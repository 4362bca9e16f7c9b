"""Sweeps: a job fails alone, is done once, and is found in one table with the others."""

from offshelf.sweep.command import Command, covering
from offshelf.sweep.features import passes
from offshelf.sweep.grouping import pieces
from offshelf.sweep.identity import Datasets
from offshelf.sweep.jobs import Jobs, choose
from offshelf.sweep.sweep import Source, Sweep, run_sweep

__all__ = ["Command", "Datasets", "Jobs", "Source", "Sweep", "choose", "covering", "passes", "pieces", "run_sweep"]
