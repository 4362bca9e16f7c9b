"""What can go wrong through no fault of offshelf: each error is one sentence that names the way out.

OffshelfError
├── ConfigError      a key, option or value that does not exist or does not fit
├── DatasetError     a data set that is missing, incomplete or contradictory
│   └── ImageError   files that cannot be read as images
│       └── BadImagesError   all of those in a data set, by their place in it
├── BackboneError    a network, checkpoint or layer that cannot be had
├── ModelError       a run's model that was not kept, or cannot be used
├── StoreError       a feature store that cannot be read or written
│   └── MissingFeatureError   what is not in it, or not any more
├── TrackingError    an MLflow store or server that cannot be reached
└── SweepError       jobs of a sweep that have failed
"""

from collections.abc import Mapping

WAY_OUT = "mend or remove them, or go on without them with on_error=skip"
"""What to do about images that cannot be used in a run."""


class OffshelfError(Exception):
    """Base of all errors a user can cause and mend; the command line prints its text and exits with 1."""


class ConfigError(OffshelfError, ValueError):
    """A key, option or value that does not exist or does not fit."""


class DatasetError(OffshelfError, ValueError):
    """A data set that is missing, incomplete or contradictory."""


class ImageError(DatasetError):
    """Files that cannot be read as images."""


class BadImagesError(ImageError):
    """All images of a list that cannot be used."""

    def __init__(self, faults: Mapping[int, str], way_out: str = WAY_OUT) -> None:
        """What is wrong with each, by its place in the list, and what to do about it."""
        super().__init__(faults, way_out)
        self.faults, self.way_out = dict(faults), way_out

    def __str__(self) -> str:
        listed = "\n".join(self.faults[row] for row in sorted(self.faults))
        return f"{len(self.faults)} image(s) cannot be used; {self.way_out}:\n{listed}"


class BackboneError(OffshelfError, ValueError):
    """A network, checkpoint or layer that cannot be had."""


class ModelError(OffshelfError, ValueError):
    """A run's model that was not kept, or cannot be used."""


class StoreError(OffshelfError, OSError):
    """A feature store that cannot be read or written."""


class MissingFeatureError(StoreError):
    """A feature that is not in a store, or not any more."""


class TrackingError(OffshelfError, ConnectionError):
    """An MLflow store or server that cannot be reached."""


class SweepError(OffshelfError):
    """Jobs of a sweep that have failed."""
