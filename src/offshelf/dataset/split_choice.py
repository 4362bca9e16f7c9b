"""The choice among official splits, and of the parts that are trained on."""

from typing import Literal

from offshelf.errors import ConfigError

COUNT = 10
"""Splits of DTD, and of SUN397."""

Partition = int | Literal["all"]
Train = Literal["trainval", "train"]
"""Whether an official validation part is trained on too."""


def require_partition(partition: Partition) -> None:
    """Raise ConfigError for what is no split's number."""
    if partition != "all" and (not isinstance(partition, int) or not 1 <= partition <= COUNT):
        raise ConfigError(f"dataset.partition is 1 to {COUNT}, or all; got {partition}.")


def partitions(partition: Partition) -> range:
    """Numbers of the splits that are meant."""
    return range(1, COUNT + 1) if partition == "all" else range(partition, partition + 1)


def require_train(train: Train) -> None:
    """Raise ConfigError for what is neither."""
    if train not in ("trainval", "train"):
        raise ConfigError(f"dataset.train is trainval or train; got '{train}'.")


def trained_parts(train: Train) -> tuple[str, ...]:
    """Names of the parts that are trained on."""
    return ("train", "val") if train == "trainval" else ("train",)
