"""Runs that are over, found in the tracker or by their output folder, and what they left of themselves."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from offshelf.errors import ConfigError, ModelError, TrackingError
from offshelf.home import home_dir
from offshelf.model import FILE, Model
from offshelf.runs.earlier import require_current_names
from offshelf.tracking.reading import TrackedRun, TrackedRuns

CONFIG = "config.yaml"


@dataclass(frozen=True)
class PastRun:
    """A run's own record."""

    name: str
    id: str
    """Of the tracker; empty for an output folder, which holds no tags either."""
    config: dict[str, Any]
    """As it was resolved then, with paths in its home as they are now."""
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    read: Callable[[str], bytes | None] = field(repr=False)
    """A file's content; None where there is none of that name."""

    @staticmethod
    def find(selector: str, home: str = "", uri: str = "", experiment: str = "offshelf") -> "PastRun":
        """The run of an id, its first letters, a name (the newest), or an output folder.

        Raises:
            TrackingError: there is none, several, or one that is no run of a task.
            ConfigError: its record is none.
        """
        folder = Path(selector).expanduser()
        if (folder / CONFIG).is_file():
            return _of_folder(folder, home)
        found = TrackedRuns(home, uri, experiment).find(selector)
        if len(found) > 1:
            names = ", ".join(f"{run.name} ({run.id[:8]})" for run in found[:5])
            raise TrackingError(f"{selector} means {len(found)} runs: {names}. Name one.")
        return _of_tracker(found[0], home)

    def model(self) -> Model:
        """What it has learnt.

        Raises:
            ModelError: it kept no model, or one that cannot be read.
        """
        data = self.read(FILE)
        if data is None:
            raise ModelError(
                f"The run {self.name} kept no model: it is older than models, or too large (keep_model_mb). Fit it "
                f"again with: offshelf rerun {self.id[:8]}"
            )
        with TemporaryDirectory() as folder:
            path = Path(folder) / FILE
            path.write_bytes(data)
            return Model.read(path)


def _of_folder(folder: Path, home: str) -> PastRun:
    def read(file: str) -> bytes | None:
        return (folder / file).read_bytes() if (folder / file).is_file() else None

    config = _config(read(CONFIG) or b"", home, str(folder))
    return PastRun(folder.name, "", config, _metrics(read("metrics.json") or b"{}", folder), {}, read)


def _metrics(text: bytes, folder: Path) -> dict[str, float]:
    try:
        return {str(name): float(value) for name, value in json.loads(text).items()}
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise ConfigError(f"{folder / 'metrics.json'} holds no metrics: names and numbers were expected.") from error


def _of_tracker(run: TrackedRun, home: str) -> PastRun:
    config = run.data(CONFIG)
    if config is None:
        parent = run.tags.get("mlflow.parentRunId")
        way_out = f"it is a layer of the run {parent[:8]}; name that" if parent else "name one of the runs under it"
        raise TrackingError(f"The run {run.name} has no config of its own: {way_out}.")
    return PastRun(run.name, run.id, _config(config, home, run.name), run.metrics, run.tags, run.data)


class _PlainLoader(yaml.SafeLoader):  # type: ignore[misc]
    """YAML as runs write it: no tags, and no aliases, by which a short text stands for more than fits into memory."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        """As PyYAML does, save for an alias."""
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("it has an alias, which no record has")
        return super().compose_node(parent, index)


def _config(text: bytes, home: str, name: str) -> dict[str, Any]:
    """A recorded config; what lay in its home is in this one now, if the home was moved.

    Raises:
        ConfigError: it is none.
    """
    try:
        config = yaml.load(text, _PlainLoader)  # which is a SafeLoader
        if not isinstance(config, dict):
            raise TypeError("keys and values were expected")
        moved = _moved(config, str(config.get("home", "")), str(home_dir(home)))
        require_current_names(moved)
        return {str(key): value for key, value in moved.items()}
    except (yaml.YAMLError, TypeError, ValueError, RecursionError) as error:
        if isinstance(error, ConfigError):
            raise
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else " ".join(str(error).split())
        raise ConfigError(f"The {CONFIG} of the run {name} is no record of a run: {reason[:300]}") from error


def _moved(value: Any, old: str, new: str) -> Any:
    if isinstance(value, dict):
        return {key: _moved(one, old, new) for key, one in value.items()}
    if isinstance(value, list):
        return [_moved(one, old, new) for one in value]
    is_inside = isinstance(value, str) and old and (value == old or value.startswith(f"{old}/"))
    return new + value[len(old) :] if is_inside else value
