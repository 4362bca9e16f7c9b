"""A sweep from its command line to its table."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from offshelf.config import build_group
from offshelf.config.job import Job
from offshelf.config.recorded_config import missing_features
from offshelf.errors import ConfigError, OffshelfError
from offshelf.launcher import Basic, Joblib, Launcher
from offshelf.runs.recorder import next_command
from offshelf.secret import masked
from offshelf.sweep.command import Command
from offshelf.sweep.features import lines, passes, require_possible
from offshelf.sweep.grouping import pieces
from offshelf.sweep.identity import Datasets
from offshelf.sweep.jobs import SHORT, Jobs, require_folders
from offshelf.terminal import say, terminal

if TYPE_CHECKING:
    from offshelf.tracking import FinishedJob


LISTED = 1000
"""Jobs that a dry run lists; the others are counted."""


@dataclass(frozen=True)
class Sweep:
    """How the jobs of a sweep are run."""

    fail_fast: bool = False
    """Whether the first failure ends the sweep; otherwise the other jobs are run."""
    resume: bool = True
    """Whether the same command resumes a sweep that was interrupted or had failures."""
    dry_run: bool = False
    """Whether jobs are listed, the first LISTED of them with what they still need, instead of run."""

    def __post_init__(self) -> None:
        for name in ("fail_fast", "resume", "dry_run"):
            if not isinstance(getattr(self, name), bool):
                raise ConfigError(f"sweep.{name} is true or false; got '{getattr(self, name)}'.")


Call = Callable[..., None]
"""A function that calls another with each job of a sweep; further arguments are overrides of Hydra's settings."""


@dataclass(frozen=True)
class Source:
    """Where the jobs of a sweep come from."""

    call: Call
    chooses: bool = False
    """Whether a job is chosen by the results of those before it, so that none is known beforehand."""

    def all(self, *settings: str) -> list[Job]:
        """Return all jobs without running one."""
        jobs: list[Job] = []
        self.call(jobs.append, *settings)
        return jobs


def run_sweep(command: Command, config: Mapping[str, Any], source: Source) -> dict[str, Any]:
    """Run the jobs that are not done yet, under one parent run. Returns the jobs and the best run as data.

    Raises:
        SweepError: jobs have failed; all others are done, unless `fail_fast`.
        ConfigError: settings that do not go together.
    """
    from offshelf.tracking import NoTracking

    sweep: Sweep = build_group(config, "sweep") or Sweep()
    launcher: Launcher = build_group(config, "launcher") or Basic()
    tracking = build_group(config, "tracking") or NoTracking()
    if source.chooses and (sweep.dry_run or not isinstance(launcher, Basic)):
        raise ConfigError(
            "This hydra/sweeper chooses each job by the results of those before it: sweep.dry_run=false launcher=basic"
        )
    name = command.digest(config)
    if sweep.dry_run:
        return _list(source, launcher, tracking.finished(name) if sweep.resume else {})
    known = [] if source.chooses else source.all()
    require_folders(known)
    datasets = Datasets()
    if isinstance(launcher, Basic | Joblib):  # elsewhere other things may be at hand
        require_possible(known, datasets)
    title = f"sweep {command.task} {' '.join(masked(command.overrides))}"[:250]
    # One that chooses its jobs by their results would be led by another's.
    shared = sweep.resume and not source.chooses
    with tracking.sweep(title, name, sweep.resume, shared) as run:
        jobs = Jobs(run, run.finished(), launcher, sweep.fail_fast, datasets=datasets)
        try:
            if source.chooses:
                _follow(source, jobs)
            else:
                jobs.run(known)
        except BaseException:
            jobs.show()
            raise
        result = jobs.conclude()
        say(next_command(run.run.hint, config) if run.id else "")
        jobs.require_success(command, sweep.resume, result)
    return result


def _follow(source: Source, jobs: Jobs) -> None:
    """Run the jobs that a sweeper chooses; it may give up where some have failed, which the table then tells."""
    try:
        source.call(jobs.run_one)
    except Exception as error:
        if all(outcome.status != "FAILED" for outcome in jobs.outcomes):
            raise
        say(f"The sweeper has given up: {' '.join(str(error).split())}", stderr=True)


def _list(source: Source, launcher: Launcher, finished: Mapping[str, "FinishedJob"]) -> dict[str, Any]:
    """Print the features that are extracted first, and what each job needs beside them. Returns the same as data."""
    from offshelf.report import JobOutcome, forecast_table

    with TemporaryDirectory() as folder:  # where Hydra puts down the configs of jobs
        jobs = source.all(f"hydra.sweep.dir={folder}")
    datasets = Datasets()
    done: dict[int, FinishedJob] = {}
    broken: dict[int, str] = {}
    for job in jobs:
        try:
            known = finished.get(datasets.job_digest(job)) if finished else None
        except OffshelfError as error:
            broken[job.number] = f"cannot be run: {error}"
        else:
            done |= {job.number: known} if known else {}
    planned: set[Any] = set()
    left = [job for job in jobs if job.number not in done]
    first = {job.number: piece[0].number for piece in pieces(left, launcher) for job in piece[1:]}
    features = [line for shared in passes(left) for line in lines(shared, planned)]
    say(*(f"Features first: {line}" for line in features))
    rows: list[tuple[JobOutcome, str]] = []
    for job in jobs[:LISTED]:
        before = f"nothing: done already, as run {done[job.number].id[:SHORT]}" if job.number in done else ""
        together = f", together with job {first[job.number]}" if job.number in first else ""
        needed = before or broken.get(job.number) or _needed(job, planned) + together
        rows.append((JobOutcome(job.number, job.choices, "not run"), needed))
    terminal().print(forecast_table(rows))
    if len(jobs) > LISTED:
        say(f"And {len(jobs) - LISTED:,} more jobs, {len(jobs):,} in all.")
    jobs_needs = [{"number": one.number, "choices": one.choices, "needs": needed} for one, needed in rows]
    return {"features_first": features, "jobs": jobs_needs}


def _needed(job: Job, planned: set[Any]) -> str:
    try:
        if any(group not in job.values for group in ("dataset", "backbone", "store")):
            return "its run"
        return "; ".join(missing_features(job.values, planned)) or "no extraction"
    except OffshelfError as error:
        return f"cannot be run: {error}"
