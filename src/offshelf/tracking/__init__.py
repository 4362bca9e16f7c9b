"""Experiment tracking: the only package that imports MLflow."""

from offshelf.tracking.followed import Followed
from offshelf.tracking.mlflow import MLflow
from offshelf.tracking.null import NoTracking
from offshelf.tracking.offline import Offline
from offshelf.tracking.provenance import provenance
from offshelf.tracking.sending import allowed_name
from offshelf.tracking.sweep import belonging
from offshelf.tracking.tracker import FinishedJob, Run, SweepRun, Tracker

__all__ = [
    "FinishedJob",
    "Followed",
    "MLflow",
    "NoTracking",
    "Offline",
    "Run",
    "SweepRun",
    "Tracker",
    "allowed_name",
    "belonging",
    "provenance",
]
