"""The run that tasks see: what is logged becomes events, which a sink sends to MLflow or writes into a journal."""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Protocol
from uuid import uuid4

from typing_extensions import override

from offshelf.process.signals import is_asked, undisturbed
from offshelf.secret import masked
from offshelf.tracking.environment import provenance
from offshelf.tracking.events import (
    PARENT_TAG,
    DatasetEvent,
    EndEvent,
    FileEvent,
    LaterEvent,
    LogEvent,
    StartEvent,
    now,
)
from offshelf.tracking.process import this_process
from offshelf.tracking.tracker import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Content = bytes | Path | None
"""Content of a file event; None for all other events."""


class Sink(Protocol):
    """Destination of the events of one run."""

    @property
    def id(self) -> str:
        """Id of the run."""

    @property
    def hint(self) -> str:
        """What the user can do next with the run."""

    @property
    def is_sent(self) -> bool:
        """Whether MLflow has the whole run so far."""

    def put(self, event: LaterEvent, content: Content = None) -> None:
        """Take an event, with the content of a file event."""

    def child(self, name: str) -> "Sink":
        """Open a new run nested under this one."""

    def confirm(self) -> None:
        """Wait until the store has taken the run; see `Run.confirm`."""
        return

    def finish(self, work: Callable[[], None]) -> None:
        """Do the last work of the run; see `Run.finish`."""
        work()


@dataclass(frozen=True)
class LoggedRun(Run):
    """An open run whose calls become events of a sink."""

    sink: Sink
    tables: list[str] = field(default_factory=list)
    """Names of the table artifacts that were logged so far."""
    waiting_tags: dict[str, str] = field(default_factory=dict)
    """Tags that go with what is logged next, or with the end of the run."""

    @property
    @override
    def id(self) -> str:
        return self.sink.id

    @property
    @override
    def hint(self) -> str:
        return self.sink.hint

    @property
    @override
    def is_sent(self) -> bool:
        return self.sink.is_sent

    @override
    def log(
        self,
        params: Mapping[str, Any] | None = None,
        metrics: Mapping[str, float] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        texts = {name: str(value) for name, value in (params or {}).items()}
        numbers = {name: float(value) for name, value in (metrics or {}).items()}
        texts, labels = masked(texts), masked({**self.waiting_tags, **(tags or {})})
        self.waiting_tags.clear()
        self.sink.put(LogEvent(now(), _encodable(texts), _encodable(numbers), _encodable(labels)))

    @override
    def log_table(self, columns: Mapping[str, Sequence[Any]], file: str) -> None:
        # Written in MLflow's table format by hand: MLflow's own function appends to a table that exists.
        rows = [[_cell(value) for value in row] for row in zip(*columns.values(), strict=True)]
        self.log_text(json.dumps({"columns": list(columns), "data": rows}, ensure_ascii=False), file)
        if file not in self.tables:
            self.tables.append(file)
        named = json.dumps([{"path": table, "type": "table"} for table in self.tables])
        self.waiting_tags["mlflow.loggedArtifacts"] = named  # tells the UI which tables it can compare

    @override
    def log_figure(self, figure: "Figure", file: str) -> None:
        data = BytesIO()
        form = PurePosixPath(file).suffix[1:]
        figure.savefig(data, format=form, dpi=80, pil_kwargs={"compress_level": 1})  # for every run: speed before size
        self._put_file(file, data.getvalue())

    @override
    def log_file(self, path: Path) -> None:
        self._put_file(path.name, path)

    @override
    def log_text(self, text: str, file: str) -> None:
        self._put_file(file, _encodable(text).encode())

    @override
    def log_dataset(self, name: str, digest: str, context: str, profile: Mapping[str, Any]) -> None:
        self.sink.put(
            DatasetEvent(now(), _encodable(name), _encodable(digest), _encodable(context), _encodable(profile))
        )

    @override
    @contextmanager
    def child(self, name: str) -> Iterator[Run]:
        with open_run(partial(self.sink.child, _encodable(name))) as run:
            yield run

    @override
    def confirm(self) -> None:
        self.sink.confirm()

    @override
    def finish(self, work: Callable[[], None]) -> None:
        self.sink.finish(work)

    def _put_file(self, name: str, content: bytes | Path) -> None:
        self.sink.put(FileEvent(now(), _encodable(name)), content)


@contextmanager
def open_run(make: Callable[[], Sink]) -> Iterator[LoggedRun]:
    """Open a run and end it however the block ends; signals are deferred while it is opened and ended."""
    run: LoggedRun | None = None

    def end(status: str) -> None:
        if run:
            with undisturbed():
                if run.waiting_tags:
                    run.log()
                run.sink.put(EndEvent(now(), status))

    try:
        with undisturbed():
            run = LoggedRun(make())
        yield run
    except BaseException as error:
        end("KILLED" if is_asked(error) else "FAILED")
        raise
    end("FINISHED")


def new_start(name: str, experiment: str, uri: str | None, tags: Mapping[str, str]) -> StartEvent:
    """Return the start event of a new run of this process."""
    everything = {**provenance(), "process": this_process(), **tags}
    return StartEvent(uuid4().hex, masked(_encodable(name)), now(), everything, experiment, masked(uri), begun=False)


def child_start(parent: StartEvent, name: str) -> StartEvent:
    """Return the start event of a new run nested under another."""
    return new_start(name, parent.experiment, parent.uri, {PARENT_TAG: parent.id})


def _cell(value: Any) -> Any:
    """Convert a table cell to JSON: NumPy's numbers to Python's, NaN and infinity to None."""
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _encodable(value: Any) -> Any:
    """Replace what UTF-8 cannot encode, as in names of files that are not UTF-8, by backslash escapes."""
    if isinstance(value, Mapping):
        return {_encodable(key): _encodable(one) for key, one in value.items()}
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value
