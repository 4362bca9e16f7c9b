"""Errors that a user can cause and correct. The message of each is one sentence that names the way out.

OffshelfError
├── ConfigError      a key, option or value that does not exist or does not fit
├── DatasetError     a data set that is missing, incomplete or contradictory
│   └── ImageError   files that cannot be read as images
│       └── BadImagesError   all unreadable images of a data set, by row number
├── BackboneError    a network, checkpoint or layer that is unavailable or invalid
├── ModelError       a run's model that was not kept, or cannot be used
├── RemoteError      a bucket or web site that cannot be reached, refuses, or fails
├── StoreError       a feature store that cannot be read or written
│   └── MissingFeatureError   a feature that is not, or no longer, in the store
├── TrackingError    an MLflow store or server that cannot be reached
└── SweepError       jobs of a sweep that have failed
"""

from collections.abc import Mapping
from typing import Any

WAY_OUT = "correct or remove them, or continue without them with on_error=skip"
"""What to do about images that cannot be used in a run."""


class OffshelfError(Exception):
    """Base class of errors that a user can cause and correct; the command line prints the message and exits with 1."""


class ConfigError(OffshelfError, ValueError):
    """A key, option or value does not exist or does not fit."""


class DatasetError(OffshelfError, ValueError):
    """A data set is missing, incomplete or contradictory."""


class ImageError(DatasetError):
    """Files cannot be read as images."""


class BadImagesError(ImageError):
    """Images of a list cannot be used."""

    def __init__(self, faults: Mapping[int, str], way_out: str = WAY_OUT) -> None:
        """Take the reasons by position in the list, and what to do about them."""
        super().__init__(faults, way_out)
        self.faults, self.way_out = dict(faults), way_out

    def __str__(self) -> str:
        listed = "\n".join(self.faults[row] for row in sorted(self.faults))
        return f"{len(self.faults)} image(s) cannot be used; {self.way_out}:\n{listed}"


class BackboneError(OffshelfError, ValueError):
    """A network, checkpoint or layer is unavailable or invalid."""


class ModelError(OffshelfError, ValueError):
    """A run's model was not kept, or cannot be used."""


class RemoteError(OffshelfError):
    """A bucket or web site cannot be reached, refuses access, or fails again and again."""


class StoreError(OffshelfError, OSError):
    """A feature store cannot be read or written."""


class MissingFeatureError(StoreError):
    """A feature is not, or no longer, in a store."""


class TrackingError(OffshelfError, ConnectionError):
    """An MLflow store or server cannot be reached."""


class SweepError(OffshelfError):
    """Jobs of a sweep have failed."""

    def __init__(self, message: str, result: Mapping[str, Any] | None = None) -> None:
        """Keep the result of the other jobs in `result`."""
        super().__init__(message)
        self.result = dict(result or {})
