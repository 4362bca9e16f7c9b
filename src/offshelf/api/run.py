"""Runs of tasks from Python: composed as on the command line, silent, with objects in place of config nodes."""

import shutil
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, TypeVar

from offshelf.api.settings import Settings
from offshelf.api.to_config import described
from offshelf.config import build, load, plain
from offshelf.config.keys import SWEEP_KEYS
from offshelf.config.parameters import parameters
from offshelf.errors import ConfigError
from offshelf.runs.output_folder import writing_into
from offshelf.secret import masked
from offshelf.store import MemoryStore
from offshelf.terminal import quiet
from offshelf.tracking import NoTracking

R = TypeVar("R")


@dataclass(frozen=True, eq=False)
class Done:
    """A run that is over."""

    result: Any
    """As the task returned it."""
    config: dict[str, Any]
    """The resolved config, as it is recorded; None in place of what was given as an object that has no text."""
    parts: dict[str, Any]
    """The components of the task, by name."""
    scratch: Path | None
    """The output folder, where it is to go with the result."""

    def as_a(self, kind: Callable[..., R], **more: Any) -> R:
        """Return the result as one of a class that extends it; an output folder that nobody asked for goes with it."""
        values = {one.name: getattr(self.result, one.name) for one in fields(self.result)}
        made = kind(**values, config=self.config, **more)
        if self.scratch:
            weakref.finalize(made, shutil.rmtree, self.scratch, ignore_errors=True)
        return made


def run(settings: Settings, output_dir: "str | Path | None" = None, progress: bool = False) -> Done:
    """Run a task.

    Args:
        settings: Of the task.
        output_dir: Where its results are written. None: below the home if the run is tracked, otherwise a temporary
            folder.
        progress: Whether to show progress bars.

    Raises:
        OffshelfError: as on the command line.
    """
    config = load(settings.task, settings.overrides)
    task: Any = build(config)
    values = plain(config)
    objects = dict(settings.objects)
    if settings.is_in_memory:
        objects["store"] = _memory(objects.get("store"), settings.overrides)
    nodes = {key: described(value) for key, value in objects.items()}
    recorded = masked({key: value for key, value in {**values, **nodes}.items() if key not in SWEEP_KEYS})
    parts = {**task.keywords, **objects}
    folder, scratch = output_folder(output_dir, settings.task, parts.get("tracking"), Path(values["home"]))
    given: dict[str, Any] = {"output_dir": str(folder), "config": recorded}
    if "arguments" in parameters(values["_target_"]) and not settings.objects:
        given["arguments"] = masked(settings.overrides)
    with writing(folder, scratch, progress):
        result = task(**objects, **given)
    return Done(result, recorded, parts, scratch)


@contextmanager
def writing(folder: Path, scratch: Path | None, progress: bool) -> Iterator[None]:
    """Run a task in this context: it writes into a folder and prints nothing; if it fails, a temporary one is removed.

    Args:
        folder: The output folder.
        scratch: The same if it is temporary.
        progress: Whether progress bars are shown.
    """
    try:
        with quiet(not progress), writing_into(folder):
            yield
    except BaseException:
        if scratch:
            shutil.rmtree(scratch, ignore_errors=True)
        raise


def _memory(given: Any, overrides: list[str]) -> MemoryStore:
    """Return the store of a network whose code is not known."""
    if isinstance(given, MemoryStore):
        return given
    if given is not None or any(word.startswith("store.root=") for word in overrides):
        raise ConfigError(
            "Features of a network that was given as an object cannot be kept on disk, because its code is not known: "
            "leave out store=, or name its class: load_backbone('custom', module='package.module.Class')."
        )
    return MemoryStore()


def output_folder(given: "str | Path | None", task: str, tracking: Any, home: Path) -> tuple[Path, Path | None]:
    """Return the output folder; and again where it is temporary."""
    if given is not None:
        return Path(given).expanduser().absolute(), None
    if tracking is None or isinstance(tracking, NoTracking):
        scratch = Path(mkdtemp(prefix="offshelf-"))
        return scratch, scratch
    return home / "outputs" / task / f"{datetime.now():%Y-%m-%d/%H-%M-%S-%f}", None
