"""Experiment tracking: the only package that imports MLflow."""

from offshelf.tracking.mlflow import MLflow
from offshelf.tracking.null import NoTracking
from offshelf.tracking.tracker import Run, Tracker

__all__ = ["MLflow", "NoTracking", "Run", "Tracker"]
