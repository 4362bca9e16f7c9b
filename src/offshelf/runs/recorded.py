"""Finished runs, found in the tracker or by their output folder: their configs, metrics and models."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from typing_extensions import override

from offshelf.errors import ConfigError, ModelError, TrackingError
from offshelf.home import home_dir, is_within
from offshelf.model import FILE, Model
from offshelf.report.html import FILE as REPORT
from offshelf.runs.earlier import require_current_names
from offshelf.terminal import say
from offshelf.tracking.mlflow.reading import TrackedRun, TrackedRuns

CONFIG = "config.yaml"
DISK = "offshelf.store.DiskStore"


@dataclass(frozen=True)
class RecordedRun:
    """The record of a finished run."""

    name: str
    id: str
    """Identifier in the tracker; empty for an output folder, which has no tags either."""
    config: dict[str, Any]
    """The resolved config; paths in its home are adapted if the home was moved."""
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    read: Callable[[str], bytes | None] = field(repr=False)
    """Returns the content of a file; None if it does not exist."""

    @staticmethod
    def find(selector: str, home: str = "", uri: str = "", experiment: str = "offshelf") -> "RecordedRun":
        """Find a run by its id, the first characters of it, its name (the newest run), or its output folder.

        Raises:
            TrackingError: there is no such run, there are several, or it is not the run of a task.
            ConfigError: its record cannot be read.
        """
        folder = Path(selector).expanduser()
        if (folder / CONFIG).is_file():
            return _of_folder(folder, home)
        found = TrackedRuns(home, uri, experiment).find(selector)
        if len(found) > 1:
            names = ", ".join(f"{run.name} ({run.id[:8]})" for run in found[:5])
            raise TrackingError(f"{selector} means {len(found)} runs: {names}. Name one.")
        return _of_tracker(found[0], home)

    def storing(self, home: str, root: str) -> "RecordedRun":
        """The same run with a store of the user's: a record must not choose another folder to write into.

        Args:
            home: That the run was looked for in. A store outside of it becomes the home's, which is said.
            root: The store that the user names; empty for none.
        """
        store = self.config.get("store")
        if root:
            return replace(self, config={**self.config, "store": {"_target_": DISK, "root": root}})
        if not isinstance(store, Mapping) or not _is_offshelfs(store, "DiskStore"):
            return self
        by_place = store.get("_args_") or ()
        own, recorded = home_dir(home), str(store.get("root") or "".join(map(str, by_place)))
        if not recorded or (not by_place and is_within(recorded, own)):
            return self
        say(
            f"By its record the run kept features in {recorded}, outside of the home {own}: the home's own store is "
            "used instead. To use that one, add store.root=" + recorded,
            stderr=True,
        )
        return replace(self, config={**self.config, "store": {"_target_": DISK, "root": str(own / "store")}})

    def report(self) -> str:
        """Return the page of the run.

        Raises:
            ConfigError: the run has none.
        """
        data = self.read(REPORT)
        if data is None:
            raise ConfigError(
                f"The run {self.name} has no {REPORT}: it is not a classification, is older than reports, or was run "
                "with report=null. A new run of offshelf classify makes one."
            )
        return data.decode("utf-8", "replace")

    def model(self) -> Model:
        """Read the model of the run.

        Raises:
            ModelError: the run kept no model, or the model cannot be read.
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


def _is_offshelfs(component: Mapping[str, Any], name: str) -> bool:
    """Whether a component is the class of this name, by whichever path; of other packages `trust` has decided."""
    target = str(component.get("_target_"))
    return target.startswith("offshelf.") and target.rpartition(".")[2] == name


def _of_folder(folder: Path, home: str) -> RecordedRun:
    def read(file: str) -> bytes | None:
        return (folder / file).read_bytes() if (folder / file).is_file() else None

    config = _config(read(CONFIG) or b"", home, str(folder))
    return RecordedRun(folder.name, "", config, _metrics(read("metrics.json") or b"{}", folder), {}, read)


def _metrics(text: bytes, folder: Path) -> dict[str, float]:
    try:
        return {str(name): float(value) for name, value in json.loads(text).items()}
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise ConfigError(f"{folder / 'metrics.json'} holds no metrics: names and numbers were expected.") from error


def _of_tracker(run: TrackedRun, home: str) -> RecordedRun:
    config = run.data(CONFIG)
    if config is None:
        parent = run.tags.get("mlflow.parentRunId")
        way_out = f"it is a layer of the run {parent[:8]}; name that" if parent else "name one of the runs under it"
        raise TrackingError(f"The run {run.name} has no config of its own: {way_out}.")
    return RecordedRun(run.name, run.id, _config(config, home, run.name), run.metrics, run.tags, run.data)


class _PlainLoader(yaml.SafeLoader):  # type: ignore[misc]
    """Loader of YAML as runs write it, without tags and aliases: with aliases a short text can exhaust the memory."""

    @override
    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("it has an alias, which records never have")
        return super().compose_node(parent, index)


def _config(text: bytes, home: str, name: str) -> dict[str, Any]:
    """Parse a recorded config; paths in its home are replaced by paths in this home.

    Raises:
        ConfigError: the text is not a recorded config.
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
        raise ConfigError(f"The {CONFIG} of the run {name} is not a record of a run: {reason[:300]}") from error


def _moved(value: Any, old: str, new: str) -> Any:
    if isinstance(value, dict):
        return {key: _moved(one, old, new) for key, one in value.items()}
    if isinstance(value, list):
        return [_moved(one, old, new) for one in value]
    is_inside = isinstance(value, str) and old and (value == old or value.startswith(f"{old}/"))
    return new + value[len(old) :] if is_inside else value
