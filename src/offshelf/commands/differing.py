"""Parameters in which runs differ."""

from collections.abc import Sequence

from offshelf.tracking.mlflow.reading import TrackedRun

DEPENDENT_PARAMETERS = ("dims",)
"""Parameters that follow from others."""


def varied(runs: Sequence[TrackedRun]) -> list[str]:
    """Return the names of parameters that are not the same for all runs, the task's own first."""
    names = {name for run in runs for name in run.params if name != "name" and not name.endswith("_target_")}
    several = [name for name in names if len({run.params.get(name) for run in runs}) > 1]
    return sorted(several, key=lambda name: (name.count("."), name))


def independent(runs: Sequence[TrackedRun]) -> list[str]:
    """Return parameters that differ, without those that follow from an earlier one.

    Some are the same number: seeds that follow the seed. Others are parts of a choice: the mean that a backbone takes.
    """
    kept: dict[str, list[str | None]] = {}
    for name in varied(runs):
        values = [run.params.get(name) for run in runs]
        is_part = any(
            name.startswith(f"{other}.") and len(set(zip(theirs, values, strict=True))) == len(set(theirs))
            for other, theirs in kept.items()
        )
        if name not in DEPENDENT_PARAMETERS and not is_part and values not in kept.values():
            kept[name] = values
    return list(kept)
