"""The jobs of a sweep, as they come and go."""

import json
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from offshelf.config.job import Job, as_in_hydra
from offshelf.errors import ConfigError, SweepError
from offshelf.launcher import Basic, Ending, Launcher, Lost
from offshelf.launcher.job import common_folder, describe
from offshelf.process.signals import obey
from offshelf.sweep.claims import Claims, perform_claimed
from offshelf.sweep.command import Command, covering
from offshelf.sweep.features import extract_first
from offshelf.sweep.grouping import pieces
from offshelf.sweep.identity import Datasets
from offshelf.terminal import say, terminal
from offshelf.tracking.note import NOTE_TAG

if TYPE_CHECKING:
    from offshelf.report import JobOutcome
    from offshelf.tracking import FinishedJob, SweepRun

RESULT = "result"
"""Name of a job's number if the tracker does not know the metric."""

SHORT = 8
"""Characters of a run's id that are enough for a person, and for `offshelf compare`."""

POLL_SECONDS = 0.5
"""Seconds between looks at the jobs of other processes."""


@dataclass
class Jobs:
    """The jobs of one sweep, and how each ended."""

    parent: "SweepRun"
    finished: Mapping[str, "FinishedJob"]
    """Jobs that were finished before, by their digests."""
    launcher: Launcher = field(default_factory=Basic)
    fail_fast: bool = False
    """Whether the first failure ends the sweep."""
    ended: "list[tuple[JobOutcome, str]]" = field(default_factory=list)
    """Outcomes, and the jobs' digests."""
    datasets: Datasets = field(default_factory=Datasets)
    _jobs: list[Job] = field(default_factory=list, repr=False)
    """Jobs that a sweeper has chosen."""

    @property
    def outcomes(self) -> "list[JobOutcome]":
        """Outcomes in the order of the jobs."""
        return [outcome for outcome, _ in sorted(self.ended, key=lambda one: one[0].number)]

    @property
    def claims(self) -> Claims:
        """Claims of the processes that run this sweep together."""
        return Claims(self.parent.folder)

    def run(self, jobs: Sequence[Job]) -> None:
        """Run the jobs that are not done yet; an error in one is printed at once and stops no other.

        Jobs of other processes are waited for, and taken over from processes that die.
        """
        left = to_do = [named for job in jobs if (named := self._named(job)) and not self._skip(named)]
        if left and not self._is_over():
            folder = common_folder(jobs)
            with as_in_hydra(left[0]):
                extract_first(left, self.launcher, folder)
            while left:
                left = self._wait(self._launch(left, folder))
        known = {outcome.number for outcome, _ in self.ended}
        for job in to_do:
            if job.number not in known and not self._ended_elsewhere(job):
                self._note(job, "not run")

    def _launch(self, jobs: Sequence[Job], folder: Path) -> list[Job]:
        """Run jobs by the launcher. Returns those that other processes are running."""
        elsewhere = []
        work = partial(perform_claimed, claims=self.claims, parent=self.parent.id)
        with closing(self.launcher.run(pieces(jobs, self.launcher), work, folder)) as endings:
            for job, found in endings:
                # The process that a job has died with has let go of it: another may have taken it over by now.
                ending = self.claims.do(job, partial(_died, why=found.why)) if isinstance(found, Lost) else found
                if ending:
                    self._end(job, ending)
                elif not self._ended_elsewhere(job):
                    elsewhere.append(job)
                if self._is_over():
                    return []
        return elsewhere

    def _wait(self, jobs: list[Job]) -> list[Job]:
        """Wait for jobs of other processes. Returns the jobs that are left as soon as a process has abandoned one."""
        if jobs:
            more = f" and {len(jobs) - 1} more" if len(jobs) > 1 else ""
            say(f"Waiting for what other processes run: {jobs[0]}{more}", stderr=True)
        while jobs and not self._is_over():
            if any(self.claims.is_free(job) for job in jobs):
                return jobs
            time.sleep(POLL_SECONDS)
            jobs = [job for job in jobs if not self._ended_elsewhere(job)]
        return []

    def run_one(self, job: Job) -> float | None:
        """Run a job for a sweeper that chooses the next by its result. Returns None if it failed or was not run.

        That is the metric on training images, by cross-validation: the test images, seen by a search, would be no test
        any more.

        Raises:
            ConfigError: the job was not cross-validated.
        """
        require_folders([*self._jobs, job])
        self._jobs.append(job)
        self.run([job])
        outcome, name = self.ended[-1]
        if outcome.value is None or "race" in job.values:  # recommend reads no test image
            return outcome.value
        run = self.parent.finished().get(name) if name else None
        validated = cross_validated(run.metrics if run else _metrics(job.folder))
        if validated is None:
            raise ConfigError(
                f"{job} was not cross-validated, and a sweeper must not choose by the test images: its classifier "
                "needs a list of values, or classifier.validate=true."
            )
        return validated

    def _is_over(self) -> bool:
        failed = any(outcome.status == "FAILED" for outcome, _ in self.ended)
        return self.fail_fast and (failed or self.claims.has_failed())

    def _named(self, job: Job) -> Job | None:
        """Return the job with its digest; None if that shows that it cannot be run."""
        try:
            return replace(job, digest=self.datasets.job_digest(job) if self.parent.id else "")
        except BaseException as error:
            obey(error)
            self._end(job, Ending(None, 0.0, describe(error, job.folder)))
            return None

    def _skip(self, job: Job) -> bool:
        known = self.finished.get(job.digest)
        if known:
            say(f"Done already, as run {known.id[:SHORT]}: {job}", stderr=True)
            self._note(job, "done before", known.metrics.get(f"test/{known.metric}"), run=known.id)
        return known is not None

    def _ended_elsewhere(self, job: Job) -> bool:
        ending = self.claims.ending(job)
        if ending:
            if not ending.error:
                say(f"Done elsewhere: {job}", stderr=True)
            self._end(job, ending, "done elsewhere")
        return ending is not None

    def _end(self, job: Job, ending: Ending, done: str = "done") -> None:
        if ending.error:
            say(f"Error in {job}: {ending.error}", stderr=True)
        self._note(job, "FAILED" if ending.error else done, ending.value, ending.seconds)

    def _note(
        self, job: Job, status: str, value: float | None = None, seconds: float | None = None, run: str = ""
    ) -> None:
        from offshelf.report import JobOutcome

        self.ended.append((JobOutcome(job.number, job.choices, status, value, seconds, run), job.digest))

    def show(self) -> None:
        """Print the jobs so far in a table."""
        from offshelf.report import job_table

        if self.ended:
            terminal().print(job_table(self.outcomes, RESULT, ""))

    def conclude(self) -> dict[str, Any]:
        """Print all jobs in a table; in the parent, log it, the best run and the curve. Returns the same as data."""
        from offshelf.report import job_columns, job_table, sweep_figure
        from offshelf.report.notes import sweep_note

        runs = self.parent.finished()
        ended = sorted(self.ended, key=lambda one: one[0].number)
        known = [runs.get(name) for _, name in ended]
        rows = [replace(one, run=run.id) if run else one for (one, _), run in zip(ended, known, strict=True)]
        done = [run for run in known if run]
        names = {f"test/{run.metric}" for run in done}
        metric = names.pop() if len(names) == 1 else RESULT
        best, by = choose(done, metric)
        terminal().print(job_table(rows, metric, best.id if best else "", f"bold: best by {by}" if best else ""))
        table = job_columns(rows, metric)
        self.parent.log_table(table, "jobs.json")
        columns = [name for name in table if name not in ("run", "seconds")]
        cells = [[_cell(table[name][row]) for name in columns] for row in range(len(rows))]
        if best:
            metrics = {name: best.metrics[name] for name in {by, metric} if name in best.metrics}
            note = {NOTE_TAG: sweep_note(best.name, metrics, by, columns, cells)}
            found = {"best_run": best.id, "best_run_name": best.name, "best_by": by}
            self.parent.run.log(metrics=metrics, tags={**found, **note})
        figure = sweep_figure(rows, metric) if self.parent.id else None
        if figure:
            self.parent.run.log_figure(figure, "sweep.png")
        return {
            "run": self.parent.id,
            "metric": metric,
            "best": best.id if best else None,
            "by": by or None,
            "jobs": rows,
        }

    def require_success(self, command: Command, resume: bool, result: Mapping[str, Any] | None = None) -> None:
        """Refuse to end well where a job is still to be done; `resume`: the same command continues the sweep.

        Raises:
            SweepError: with the command that runs just those jobs.
        """
        failed = [outcome for outcome in self.outcomes if outcome.status == "FAILED"]
        if not failed:
            return
        left = [outcome for outcome in self.outcomes if outcome.is_open]
        same = self.parent.id and resume
        alone = [[*one, *command.how] for one in covering([outcome.choices for outcome in left])]
        commands = [command.text()] if same else [command.text(one) for one in alone]
        others = f", {len(left) - len(failed)} not run" if len(left) > len(failed) else ""
        these = "just these, in the same sweep" if same else "just these"
        raise SweepError(
            f"{len(failed)} of {len(self.outcomes)} jobs failed{others}. To run {these}:\n" + "\n".join(commands),
            result,
        )


def require_folders(jobs: Sequence[Job]) -> None:
    """Refuse jobs that would write over each other's results.

    Raises:
        ConfigError: two of them have one folder.
    """
    first: dict[str, Job] = {}
    for job in jobs:
        other = first.setdefault(os.path.realpath(job.folder), job)
        if other is not job:
            raise ConfigError(
                f"Two jobs would write into {job.folder}: {other}, and {job}. Each needs a folder of its own, as by "
                "hydra.sweep.subdir='${hydra:job.num}'"
            )


def cross_validated(metrics: Mapping[str, float]) -> float | None:
    """Return the official metric on training images; None if nothing was cross-validated."""
    names = [name for name in metrics if name.startswith("cv/") and f"{name}_std" in metrics]
    return metrics[min(names, key=len)] if names else None


def _metrics(folder: Path) -> dict[str, float]:
    """Return the metrics of an output folder; none if they cannot be read."""
    try:
        return dict(json.loads((folder / "metrics.json").read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def _cell(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, float) else "–" if value is None else str(value)


def _died(_: Job, why: str) -> Ending:
    return Ending(None, 0.0, why)


def choose(done: "Sequence[FinishedJob]", metric: str) -> "tuple[FinishedJob | None, str]":
    """Return the best of several runs and the metric it is best by: on training images if all were cross-validated.

    None if jobs differ in their metric, or there is only one.
    """
    validated = metric.replace("test/", "cv/", 1)
    for by in (validated, metric):
        if len(done) > 1 and all(by in run.metrics for run in done):
            return max(done, key=lambda run: run.metrics[by]), by
    return None, ""
