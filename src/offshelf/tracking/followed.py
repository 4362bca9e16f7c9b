"""A tracker that passes all on to another, and keeps the numbers and tags of the run it started."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from offshelf.tracking.tracker import Run, Tracker


@dataclass(frozen=True)
class Followed:
    """See Tracker; `metrics` and `tags` are what the run logged, those of runs nested under it left out."""

    tracker: Tracker
    given: Mapping[str, str] = field(default_factory=dict)
    """Tags that the run gets at its start."""
    metrics: dict[str, float] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    def check(self) -> None:
        """See Tracker."""
        self.tracker.check()

    @contextmanager
    def start(self, name: str, folder: Path | None = None) -> Iterator[Run]:
        """See Tracker."""
        with self.tracker.start(name, folder) as run:
            run.log(tags=self.given)
            yield _FollowedRun(run, self)


class _FollowedRun:
    """See Run: the other run, but for what is logged."""

    def __init__(self, run: Run, followed: Followed) -> None:
        self._run, self._followed = run, followed

    def log(
        self,
        params: Mapping[str, Any] | None = None,
        metrics: Mapping[str, float] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """See Run."""
        self._followed.metrics.update(metrics or {})
        self._followed.tags.update(tags or {})
        self._run.log(params, metrics, tags)

    def __getattr__(self, name: str) -> Any:
        """All else is the other run's."""
        return getattr(self._run, name)
