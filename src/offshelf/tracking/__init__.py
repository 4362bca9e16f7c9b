"""Experiment tracking: the only package that imports MLflow."""

from offshelf.tracking.mlflow import MLflow
from offshelf.tracking.null import NoTracking
from offshelf.tracking.tracker import FinishedJob, Run, SweepRun, Tracker

__all__ = ["FinishedJob", "MLflow", "NoTracking", "Run", "SweepRun", "Tracker"]
