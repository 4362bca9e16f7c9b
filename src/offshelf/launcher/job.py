"""One job of a sweep, in whatever process it is done."""

import os
import time
import traceback
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from offshelf.config import HOW, perform, plain
from offshelf.errors import OffshelfError
from offshelf.memo import Memo, sharing
from offshelf.process.signals import is_asked
from offshelf.secret import masked, referenced
from offshelf.terminal import say
from offshelf.tracking import as_job_of

if TYPE_CHECKING:
    from omegaconf import DictConfig


T = TypeVar("T")


@dataclass(frozen=True)
class Job:
    """One job of a sweep."""

    number: int
    overrides: Sequence[str]
    config: "DictConfig"
    folder: Path
    """For its output."""
    hydra: "DictConfig | None" = None
    """What Hydra sets while a job runs: `job_logging`, `verbose`, `env_set`, `chdir`."""
    digest: str = ""
    """Identity of its config and data; empty where it has none."""

    @classmethod
    def of(cls, config: "DictConfig", hydra: "DictConfig") -> "Job":
        """A job as Hydra composes it, with everything resolved that only Hydra knows meanwhile."""
        from omegaconf import OmegaConf
        from omegaconf.errors import OmegaConfBaseException

        settings = {"job_logging": plain(hydra.job_logging), "verbose": hydra.verbose}
        settings |= {"env_set": plain(hydra.job.env_set), "chdir": bool(hydra.job.chdir)}
        with suppress(OmegaConfBaseException):  # the job will say so
            config = OmegaConf.create(referenced(plain(config)))
        folder = Path(hydra.runtime.output_dir)
        return cls(hydra.job.num, masked(list(hydra.overrides.task)), config, folder, OmegaConf.create(settings))

    @property
    def choices(self) -> dict[str, str]:
        """Key to value."""
        pairs = (override.partition("=") for override in self.overrides)
        return {key: value for key, _, value in pairs if key.partition(".")[0] not in HOW}

    def __str__(self) -> str:
        return f"job {self.number} ({', '.join(f'{key}={value}' for key, value in self.choices.items())})"


@dataclass(frozen=True)
class Ending:
    """How a job ended."""

    value: float | None
    """What its task returns."""
    seconds: float
    error: str = ""
    """Why it failed, in one sentence; empty where it did not."""


def perform_job(job: Job, parent: str) -> Ending:
    """Run a job as part of a sweep with this parent run; whatever goes wrong in it is in what it returns."""
    begin = time.perf_counter()
    try:
        with as_job_of(parent, job.digest), as_in_hydra(job):
            say(f"Begins: {job}", stderr=True)
            value = perform(job.config, job.folder)
        return Ending(None if value is None else float(value), time.perf_counter() - begin)
    except BaseException as error:
        if is_asked(error):
            raise
        return Ending(None, time.perf_counter() - begin, describe(error, job.folder))


def perform_jobs(jobs: Sequence[Job], perform: Callable[[Job], T]) -> Generator[T, None, None]:
    """Run jobs that have work in common, each as `perform` does: what one has made for all, the others find."""
    memo = Memo()
    for job in jobs:
        with sharing(memo) if len(jobs) > 1 else nullcontext():
            result = perform(job)
        yield result


def describe(error: BaseException, folder: Path) -> str:
    """An error as one sentence; one that is not the user's is kept in full in the folder of the job."""
    if isinstance(error, OffshelfError):
        return str(masked(str(error)))
    text = masked("".join(traceback.format_exception(error)))
    file = folder / "traceback.txt"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    except OSError:
        return text
    return f"{type(error).__name__}: {masked(str(error))} (traceback in {file})"


def common_folder(jobs: Sequence[Job]) -> Path:
    """The folder of a sweep's output, in which those of its jobs are."""
    return Path(os.path.commonpath([job.folder for job in jobs]))


@contextmanager
def as_in_hydra(job: Job) -> Iterator[None]:
    """What Hydra sets for a job: logging, variables of the environment, the working folder."""
    if job.hydra is None:
        yield
        return
    from hydra.core.utils import configure_log, env_override

    configure_log(job.hydra.job_logging, job.hydra.verbose)
    before = Path.cwd()
    try:
        if job.hydra.chdir:
            os.chdir(job.folder)
        with env_override(plain(job.hydra.env_set)):
            yield
    finally:
        os.chdir(before)
