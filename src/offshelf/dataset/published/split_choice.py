"""The choice among official splits, and of the parts to train on."""

from dataclasses import dataclass
from typing import Literal

from offshelf.dataset.published.official import Official
from offshelf.errors import ConfigError

COUNT = 10
"""Number of splits of DTD and SUN397."""

Partition = int | Literal["all"]


def require_partition(partition: Partition) -> None:
    """Raise ConfigError for an invalid split number."""
    if partition != "all" and (not isinstance(partition, int) or not 1 <= partition <= COUNT):
        raise ConfigError(f"dataset.partition must be 1 to {COUNT}, or all; got {partition}.")


def partitions(partition: Partition) -> range:
    """Return the numbers of the chosen splits."""
    return range(1, COUNT + 1) if partition == "all" else range(partition, partition + 1)


@dataclass(frozen=True, kw_only=True)
class WithValidation(Official):
    """A published set with an official validation part."""

    train: Literal["trainval", "train"] = "trainval"
    """Parts to train on: with or without the validation part."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.train not in ("trainval", "train"):
            raise ConfigError(f"dataset.train must be trainval or train; got '{self.train}'.")

    @property
    def trained_parts(self) -> tuple[str, ...]:
        """Names of the parts to train on."""
        return ("train", "val") if self.train == "trainval" else ("train",)
