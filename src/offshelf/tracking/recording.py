"""A tracker that passes everything on to another one, and records the metrics and tags of the run it started."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from typing_extensions import override

from offshelf.tracking.tracker import FinishedJob, Run, SweepRun, Tracker


@dataclass(frozen=True)
class RecordingTracker(Tracker):
    """A tracker of one run, with what the run logged in `metrics` and `tags`; runs nested under it are not recorded."""

    tracker: Tracker
    given: Mapping[str, str] = field(default_factory=dict)
    """Tags that the run gets at its start, which are not recorded."""
    metrics: dict[str, float] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    @override
    def check(self) -> None:
        self.tracker.check()

    @override
    @contextmanager
    def start(self, name: str, folder: Path | None = None) -> Iterator[Run]:
        with self.tracker.start(name, folder) as run:
            run.log(tags=self.given)
            yield _RecordingRun(run, self)

    @override
    def sweep(self, name: str, digest: str, resume: bool, shared: bool) -> AbstractContextManager[SweepRun]:
        return self.tracker.sweep(name, digest, resume, shared)

    @override
    def finished(self, digest: str) -> Mapping[str, FinishedJob]:
        return self.tracker.finished(digest)


class _RecordingRun:
    """A run that records what is logged, and is otherwise the run that it wraps."""

    def __init__(self, run: Run, recording: RecordingTracker) -> None:
        self._run, self._recording = run, recording

    def log(
        self,
        params: Mapping[str, Any] | None = None,
        metrics: Mapping[str, float] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Record metrics and tags, and log everything."""
        self._recording.metrics.update(metrics or {})
        self._recording.tags.update(tags or {})
        self._run.log(params, metrics, tags)

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of the wrapped run."""
        return getattr(self._run, name)
