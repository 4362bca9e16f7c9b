"""Sweeps: a job fails alone, is done once, and is found in one table with the others."""

import shlex
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from offshelf import __version__
from offshelf.config import build_group, needs, perform, plain
from offshelf.errors import ConfigError, ImageError, OffshelfError, SweepError
from offshelf.identity import digest
from offshelf.terminal import say, terminal

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from offshelf.report import JobOutcome
    from offshelf.tracking import FinishedJob, SweepRun

RESULT = "result"
"""What a job's number is called where the tracker does not know the metric."""

SHORT = 8
"""Letters of a run's id that are enough for a person, and for `offshelf compare`."""


@dataclass(frozen=True)
class Sweep:
    """How the jobs of a sweep are run."""

    fail_fast: bool = False
    """Whether the first failure ends it; otherwise the other jobs are run."""
    resume: bool = True
    """Whether a sweep that was broken off, or had failures, is taken up again by the same command."""
    dry_run: bool = False
    """Whether jobs are listed, with what they still need, instead of run."""

    def __post_init__(self) -> None:
        for name in ("fail_fast", "resume", "dry_run"):
            if not isinstance(getattr(self, name), bool):
                raise ConfigError(f"sweep.{name} is true or false; got '{getattr(self, name)}'.")


@dataclass(frozen=True)
class Command:
    """A command line that sweeps."""

    task: str
    flags: Sequence[str]
    """Flags, and settings of Hydra itself."""
    overrides: Sequence[str]

    def text(self, overrides: Sequence[str] | None = None) -> str:
        """As it is typed; with other overrides, where they are given."""
        return shlex.join(["offshelf", self.task, *self.flags, *(self.overrides if overrides is None else overrides)])

    def digest(self, config: "DictConfig") -> str:
        """Identity of the sweep: task, config and overrides, save how its jobs are run."""
        asked = [override for override in self.overrides if not override.startswith("sweep.")]
        return digest([__version__, self.task, list(self.flags), asked, _config_text(config)])


@dataclass(frozen=True)
class Job:
    """One job of a sweep."""

    number: int
    overrides: Sequence[str]
    config: "DictConfig"
    folder: Path
    """For its output."""

    @property
    def choices(self) -> dict[str, str]:
        """Key to value."""
        pairs = (override.partition("=") for override in self.overrides)
        return {key: value for key, _, value in pairs if not key.startswith("sweep.")}

    def __str__(self) -> str:
        return f"job {self.number} ({', '.join(f'{key}={value}' for key, value in self.choices.items())})"


Launch = Callable[..., None]
"""Calls a function with each job of a sweep; further arguments are overrides of Hydra's settings."""


def run_sweep(command: Command, config: "DictConfig", launch: Launch) -> None:
    """Run the jobs, as far as they are not done yet, under one parent run.

    Raises:
        SweepError: jobs have failed; all others are done, unless `fail_fast`.
    """
    from offshelf.tracking import NoTracking

    sweep: Sweep = build_group(config, "sweep")
    tracking = build_group(config, "tracking") or NoTracking()
    name = command.digest(config)
    if sweep.dry_run:
        _list(launch, tracking.finished(name) if sweep.resume else {})
        return
    title = f"sweep {command.task} {' '.join(command.overrides)}"[:250]
    with tracking.sweep(title, name, sweep.resume) as run:
        jobs = Jobs(sweep, run, run.finished())
        try:
            launch(jobs.run_one)
        except BaseException:
            jobs.show()
            raise
        jobs.conclude()
        jobs.require_success(command)


@dataclass
class Jobs:
    """The jobs of a sweep, as they come and go."""

    sweep: Sweep
    parent: "SweepRun"
    finished: Mapping[str, "FinishedJob"]
    """Those that an earlier start has done, by their digests."""
    outcomes: "list[JobOutcome]" = field(default_factory=list)
    digests: list[str] = field(default_factory=list)
    """Of the jobs, in the order of the outcomes."""
    datasets: "Datasets" = field(default_factory=lambda: Datasets())

    def run_one(self, job: Job) -> float | None:
        """Run a job, unless it is done already; whatever goes wrong in it is told, and stays in it."""
        from offshelf.report import JobOutcome

        if self.sweep.fail_fast and any(outcome.status == "FAILED" for outcome in self.outcomes):
            self._note(JobOutcome(job.number, job.choices, "not run"))
            return None
        name, begin = "", time.perf_counter()
        try:
            name = self.datasets.job_digest(job) if self.parent.id else ""
            if name in self.finished:
                return self._skip(job, name)
            with self.parent.job(name):
                value = perform(job.config, job.folder)
        except Exception as error:
            _tell(job, error)
            self._note(JobOutcome(job.number, job.choices, "FAILED", seconds=time.perf_counter() - begin), name)
            return None
        seconds = time.perf_counter() - begin
        number = None if value is None else float(value)
        self._note(JobOutcome(job.number, job.choices, "done", number, seconds), name)
        return number

    def _skip(self, job: Job, name: str) -> float | None:
        from offshelf.report import JobOutcome

        known = self.finished[name]
        say(f"Done already, as run {known.id[:SHORT]}: {job}", stderr=True)
        value = known.metrics.get(f"test/{known.metric}")
        self._note(JobOutcome(job.number, job.choices, "done before", value, run=known.id), name)
        return value

    def _note(self, outcome: "JobOutcome", name: str = "") -> None:
        self.outcomes.append(outcome)
        self.digests.append(name)

    def show(self) -> None:
        """Print the jobs so far in a table."""
        from offshelf.report import job_table

        terminal().print(job_table(self.outcomes, RESULT, ""))

    def conclude(self) -> None:
        """Print all jobs in a table; in the parent, log it, the best run and the curve."""
        from offshelf.report import job_columns, job_table, sweep_figure

        runs = self.parent.finished()
        known = [runs.get(name) for name in self.digests]
        rows = [replace(one, run=run.id) if run else one for one, run in zip(self.outcomes, known, strict=True)]
        done = [run for run in known if run]
        names = {f"test/{run.metric}" for run in done}
        metric = names.pop() if len(names) == 1 else RESULT
        best, by = choose(done, metric)
        terminal().print(job_table(rows, metric, best.id if best else "", f"bold: best by {by}" if best else ""))
        self.parent.log_table(job_columns(rows, metric), "jobs.json")
        if best:
            metrics = {name: best.metrics[name] for name in {by, metric} if name in best.metrics}
            self.parent.run.log(metrics=metrics, tags={"best_run": best.id, "best_run_name": best.name, "best_by": by})
        figure = sweep_figure(rows, metric) if self.parent.id else None
        if figure:
            self.parent.run.log_figure(figure, "sweep.png")

    def require_success(self, command: Command) -> None:
        """Raise SweepError where a job is still to be done, with the command that runs just those."""
        failed = [outcome for outcome in self.outcomes if outcome.status == "FAILED"]
        if not failed:
            return
        left = [outcome for outcome in self.outcomes if outcome.is_open]
        same = self.parent.id and self.sweep.resume
        commands = [command.text()] if same else [command.text(one) for one in covering([o.choices for o in left])]
        others = f", {len(left) - len(failed)} not run" if len(left) > len(failed) else ""
        these = "just these, in the same sweep" if same else "just these"
        raise SweepError(
            f"{len(failed)} of {len(self.outcomes)} jobs failed{others}. To run {these}:\n" + "\n".join(commands)
        )


def choose(done: "Sequence[FinishedJob]", metric: str) -> "tuple[FinishedJob | None, str]":
    """The best of several runs and the metric that says so: on training images where all were cross-validated.

    None where jobs differ in their metric, or there is one alone.
    """
    validated = metric.replace("test/", "cv/", 1)
    for by in (validated, metric):
        if len(done) > 1 and all(by in run.metrics for run in done):
            return max(done, key=lambda run: run.metrics[by]), by
    return None, ""


def covering(jobs: Sequence[Mapping[str, str]]) -> list[list[str]]:
    """Overrides that sweep over just these jobs: at once where they are a full grid, else one by one."""
    keys = list(dict.fromkeys(key for job in jobs for key in job))
    values = [list(dict.fromkeys(job.get(key, "") for job in jobs)) for key in keys]
    grid = set(product(*values))
    if grid == {tuple(job.get(key, "") for key in keys) for job in jobs}:
        return [[f"{key}={','.join(choices)}" for key, choices in zip(keys, values, strict=True)]]
    return [[f"{key}={value}" for key, value in job.items()] for job in jobs]


@dataclass
class Datasets:
    """Digests of the data of jobs; each data set is read once in a sweep."""

    known: dict[str, str] = field(default_factory=dict)

    def job_digest(self, job: Job) -> str:
        """Identity of a job: its config and its data; empty where it has none, or its images cannot all be read."""
        from offshelf.dataset import load_unsplit

        if "dataset" not in job.config:
            return ""
        config = digest(plain(job.config)["dataset"])
        if config not in self.known:
            try:
                dataset = build_group(job.config, "dataset")
                splits = "classifier" in job.config  # other tasks draw no folds, which small sets may not allow
                self.known[config] = (dataset.load() if splits else load_unsplit(dataset)).digest
            except ImageError:
                self.known[config] = ""
        data = self.known[config]
        return digest([__version__, _config_text(job.config), data]) if data else ""


def _config_text(config: "DictConfig") -> str:
    """What is to be computed, as text; not how the jobs of a sweep are run."""
    import yaml

    return str(yaml.safe_dump({key: value for key, value in plain(config).items() if key != "sweep"}))


def _tell(job: Job, error: Exception) -> None:
    """Say at once what went wrong; an error that is not the user's is kept in full in the job's folder."""
    told = str(error)
    if not isinstance(error, OffshelfError):
        file = job.folder / "traceback.txt"
        told = f"{type(error).__name__}: {told} (traceback in {file})"
        try:
            file.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
        except OSError:
            told = "".join(traceback.format_exception(error))
    say(f"Error in {job}: {told}", stderr=True)


def _list(launch: Launch, finished: Mapping[str, "FinishedJob"]) -> None:
    """Print the jobs, and what extraction each still needs after those before it."""
    from offshelf.report import JobOutcome, forecast_table

    rows: list[tuple[JobOutcome, str]] = []
    planned: set[Any] = set()
    datasets = Datasets()

    def foresee(job: Job) -> None:
        try:
            name = datasets.job_digest(job) if finished else ""
            done = finished.get(name)
            needed = f"nothing: done already, as run {done.id[:SHORT]}" if done else needs(job.config, planned)
        except OffshelfError as error:
            needed = f"cannot be run: {error}"
        rows.append((JobOutcome(job.number, job.choices, "not run"), needed))

    with TemporaryDirectory() as folder:  # where Hydra puts down the configs of jobs
        launch(foresee, f"hydra.sweep.dir={folder}")
    terminal().print(forecast_table(rows))
