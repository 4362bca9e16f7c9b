"""Root keys of a config that no task takes, and parameters of a task that no config gives."""

from collections.abc import Mapping
from typing import Any

SWEEP_KEYS = ("sweep", "launcher")
"""Root keys that say how the jobs of a sweep are run, and nothing of what they compute."""

ROOT_ONLY_KEYS = ("home", "data_dir", "seed", *SWEEP_KEYS)
"""Root keys that no task takes: other keys refer to them, or the command line uses them."""

INJECTED_PARAMETERS = ("output_dir", "config", "arguments", "notify")
"""Parameters of a task that the command line gives, not the config."""


def root_only(*, home: str, data_dir: str, seed: int, sweep: Mapping[str, Any], launcher: Mapping[str, Any]) -> None:
    """Declare, by its signature, the values that fit ROOT_ONLY_KEYS."""


ROOT_ONLY_TARGET = f"{root_only.__module__}.{root_only.__name__}"
"""Dotted name of `root_only`."""
