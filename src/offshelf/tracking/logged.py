"""A run as a task sees it: what is logged becomes events, which go to MLflow or into a journal."""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Protocol

from offshelf.process.signals import is_asked, undisturbed
from offshelf.secret import masked
from offshelf.tracking.journal import Event, Journal, now, opening
from offshelf.tracking.shelf import Place
from offshelf.tracking.tracker import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Sink(Protocol):
    """Where the events of one run go."""

    @property
    def id(self) -> str:
        """The run's."""

    @property
    def hint(self) -> str:
        """See Run."""

    @property
    def is_sent(self) -> bool:
        """See Run."""

    def put(self, event: Event, content: bytes | Path | None = None) -> None:
        """Take an event; `content` is that of a file."""

    def child(self, name: str) -> "Sink":
        """That of a new run under this one."""


@dataclass(frozen=True)
class LoggedRun:
    """See Run."""

    sink: Sink
    tables: list[str] = field(default_factory=list)
    """Files of tables so far."""

    @property
    def id(self) -> str:
        """See Run."""
        return self.sink.id

    @property
    def hint(self) -> str:
        """See Run."""
        return self.sink.hint

    @property
    def is_sent(self) -> bool:
        """See Run."""
        return self.sink.is_sent

    def log(
        self,
        params: Mapping[str, Any] | None = None,
        metrics: Mapping[str, float] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """See Run."""
        texts = {name: str(value) for name, value in (params or {}).items()}
        numbers = {name: float(value) for name, value in (metrics or {}).items()}
        self._put("log", params=masked(texts), metrics=numbers, tags=masked(dict(tags or {})))

    def log_table(self, columns: Mapping[str, Sequence[Any]], file: str) -> None:
        """See Run; the form is that of MLflow's own, which would add to a table that is there already."""
        rows = [[_cell(value) for value in row] for row in zip(*columns.values(), strict=True)]
        self.log_text(json.dumps({"columns": list(columns), "data": rows}, ensure_ascii=False), file)
        if file not in self.tables:
            self.tables.append(file)
        named = json.dumps([{"path": table, "type": "table"} for table in self.tables])
        self.log(tags={"mlflow.loggedArtifacts": named})  # by which the UI knows what it can compare

    def log_figure(self, figure: "Figure", file: str) -> None:
        """See Run."""
        data = BytesIO()
        form = PurePosixPath(file).suffix[1:]
        figure.savefig(data, format=form, dpi=80, pil_kwargs={"compress_level": 1})  # for every run: speed before size
        self._put("file", data.getvalue(), name=file)

    def log_file(self, path: Path) -> None:
        """See Run."""
        self._put("file", path, name=path.name)

    def log_text(self, text: str, file: str) -> None:
        """See Run."""
        self._put("file", _sound(text).encode(), name=file)

    def log_dataset(self, name: str, digest: str, context: str, profile: Mapping[str, Any]) -> None:
        """See Run; MLflow keeps 36 characters of the digest."""
        self._put("dataset", name=name, digest=digest, context=context, profile=dict(profile))

    @contextmanager
    def child(self, name: str) -> Iterator[Run]:
        """See Run."""
        with closing(partial(self.sink.child, _sound(name))) as run:
            yield run

    def _put(self, event: str, content: bytes | Path | None = None, **values: Any) -> None:
        self.sink.put({"event": event, "time": now(), **_sound(values)}, content)


@contextmanager
def closing(opened: Callable[[], Sink]) -> Iterator[LoggedRun]:
    """An open run, closed whatever happens; signals wait while it is opened and closed."""
    sink: Sink | None = None

    def end(status: str) -> None:
        if sink:
            with undisturbed():
                sink.put({"event": "end", "time": now(), "status": status})

    try:
        with undisturbed():
            sink = opened()
        yield LoggedRun(sink)
    except BaseException as error:
        end("KILLED" if is_asked(error) else "FAILED")
        raise
    end("FINISHED")


@dataclass(frozen=True)
class JournalSink:
    """Into the run's folder."""

    start: Event
    place: Place
    journal: Journal
    command: str
    """That sends it to MLflow."""

    @staticmethod
    def open(start: Event, place: Place, command: str) -> "JournalSink":
        """Begin a journal."""
        return JournalSink(start, place, place.open(start), command)

    @property
    def id(self) -> str:
        """See Sink."""
        return str(self.start["id"])

    @property
    def hint(self) -> str:
        """See Sink."""
        return f"Send it to MLflow with: {self.command}"

    @property
    def is_sent(self) -> bool:
        """See Sink."""
        return False

    def put(self, event: Event, content: bytes | Path | None = None) -> None:
        """See Sink; the file is in place before its event."""
        if content is not None:
            self.journal.keep(event["name"], content)
        self.journal.write(event)

    def child(self, name: str) -> "JournalSink":
        """See Sink."""
        return JournalSink.open(under(self.start, name), self.place, self.command)


def under(parent: Event, name: str) -> dict[str, Any]:
    """The `start` of a run nested under another."""
    return opening(name, parent["experiment"], parent["uri"], {"mlflow.parentRunId": parent["id"]})


def _cell(value: Any) -> Any:
    """As JSON has it: NumPy's numbers as Python's, none for NaN."""
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _sound(value: Any) -> Any:
    """Texts that can be written: bytes that are no UTF-8, of names, are put as their numbers."""
    if isinstance(value, Mapping):
        return {_sound(key): _sound(one) for key, one in value.items()}
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value
