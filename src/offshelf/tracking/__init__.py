"""Experiment tracking: the only package that imports MLflow."""

from offshelf.tracking.followed import Followed
from offshelf.tracking.mlflow import MLflow, allowed_name
from offshelf.tracking.null import NoTracking
from offshelf.tracking.provenance import provenance
from offshelf.tracking.tracker import Run, Tracker

__all__ = ["Followed", "MLflow", "NoTracking", "Run", "Tracker", "allowed_name", "provenance"]
