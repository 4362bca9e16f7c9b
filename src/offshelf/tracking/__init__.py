"""Experiment tracking in three rooms.

- This package is the seam: the protocols that tasks use (`tracker`), the typed events that a run consists of (`events`,
  `run`), and trackers that need no store (`null`, `recording`).
- `outbox` stores events in journals on disk, and sends them later.
- `mlflow` sends events to MLflow and reads runs from it; only it imports MLflow.
"""

from offshelf.tracking.environment import provenance
from offshelf.tracking.mlflow.tracker import MLflow
from offshelf.tracking.names import allowed_name
from offshelf.tracking.null import NoTracking
from offshelf.tracking.outbox.offline import Offline
from offshelf.tracking.parent import as_job_of
from offshelf.tracking.recording import RecordingTracker
from offshelf.tracking.tracker import FinishedJob, Run, SweepRun, Tracker

__all__ = [
    "FinishedJob",
    "MLflow",
    "NoTracking",
    "Offline",
    "RecordingTracker",
    "Run",
    "SweepRun",
    "Tracker",
    "allowed_name",
    "as_job_of",
    "provenance",
]
