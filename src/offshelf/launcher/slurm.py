"""Jobs as an array of a Slurm cluster, by submitit."""

import math
import re
import time
import uuid
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from typing_extensions import override

from offshelf.errors import ConfigError
from offshelf.launcher.launcher import Launcher, Lost, Piece, Work
from offshelf.terminal import say

CLUSTERS = ("slurm", "local")
POLL_SECONDS = 0.3
"""Seconds between looks at the jobs; submitit asks Slurm less often."""


LEAST = {"timeout_min": 1, "cpus": 1, "array_parallelism": 1, "gpus": 0, "requeues": 0}
"""Of the settings that are whole numbers."""


@dataclass(frozen=True)
class Slurm(Launcher):
    """Launcher that runs pieces as an array of Slurm jobs."""

    cluster: str = "slurm"
    partition: str | None = None
    timeout_min: int = 240
    gpus: int = 0
    cpus: int = 4
    memory_gb: float | None = None
    array_parallelism: int = 32
    requeues: int = 3
    """How often a job continues in a new allocation after its time limit; after preemption it always does."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Further parameters of sbatch."""

    def __post_init__(self) -> None:
        if self.cluster not in CLUSTERS:
            raise ConfigError(f"launcher.cluster is {' or '.join(CLUSTERS)}; got '{self.cluster}'.")
        for name, least in LEAST.items():
            count = getattr(self, name)
            if isinstance(count, bool) or not isinstance(count, int) or count < least:
                wanted = "a positive whole number" if least else "a whole number, 0 or more"
                raise ConfigError(f"launcher.{name} is {wanted}; got {count}.")
        if self.memory_gb is not None and not 0 < self.memory_gb < math.inf:
            raise ConfigError(f"launcher.memory_gb is a number above 0, or null; got {self.memory_gb}.")

    @override
    def run(self, pieces: Sequence[Piece], work: Work, folder: Path) -> Generator[tuple[Any, Any], None, None]:
        folder = folder / "submitit"
        executor = self._executor(folder)
        at_once = len(pieces) if self.cluster == "slurm" else self.array_parallelism  # Slurm sees to that itself
        left = list(pieces)[::-1]
        running: list[Submitted] = []
        try:
            while left or running:
                next_ones = [left.pop() for _ in range(min(len(left), at_once - len(running)))]
                running += self._submit(executor, work, next_ones, folder)
                for one in list(running):
                    is_done = one.job.done()  # before a look at what has come
                    yield from one.news()
                    if is_done:
                        running.remove(one)
                        yield from one.last_news()
                        left += [one.items] if one.items else []
                if running:
                    time.sleep(POLL_SECONDS)
        finally:
            for one in running:
                one.job.cancel(check=False)
            for one in running if self.cluster == "local" else ():
                one.job._process.wait()

    def _executor(self, folder: Path) -> Any:
        try:
            import submitit
        except ImportError as error:
            raise ConfigError("launcher=slurm needs submitit: pip install 'offshelf[slurm]'") from error
        try:
            executor = submitit.AutoExecutor(folder, self.cluster, slurm_max_num_timeout=self.requeues)
        except RuntimeError as error:
            why = str(error).rstrip(".?")
            raise ConfigError(
                f"launcher=slurm cannot be used here: {why}. On a machine without Slurm: launcher=joblib"
            ) from error
        memory = {} if self.memory_gb is None else {"mem_gb": self.memory_gb}
        executor.update_parameters(
            name="offshelf",
            timeout_min=self.timeout_min,
            gpus_per_node=self.gpus,
            cpus_per_task=self.cpus,
            slurm_partition=self.partition,
            slurm_array_parallelism=self.array_parallelism,
            slurm_additional_parameters=dict(self.parameters),
            **memory,
        )
        return executor

    def _submit(self, executor: Any, work: Work, pieces: Sequence[Piece], folder: Path) -> "list[Submitted]":
        if not pieces:
            return []
        from submitit.core.utils import FailedSubmissionError

        folders = [folder / f"results-{uuid.uuid4().hex}" for _ in pieces]
        try:
            jobs = executor.map_array(Restartable(work), pieces, folders)
        except FailedSubmissionError as error:
            raise ConfigError(f"Slurm refuses the jobs: {' '.join(str(error).split())}") from error
        if self.cluster == "slurm":
            say(f"Submitted: Slurm job {jobs[0].job_id.partition('_')[0]}, {len(jobs)} of an array", stderr=True)
        return [Submitted(*one) for one in zip(jobs, folders, map(list, pieces), strict=True)]


@dataclass(frozen=True)
class Restartable:
    """Work that continues where it was interrupted: its results are files, and its features are in the store."""

    work: Work

    def __call__(self, piece: Piece, folder: Path) -> list[Any]:
        """Run the items that have no results yet. Returns all results."""
        from submitit.core.utils import cloudpickle_dump, pickle_load

        folder.mkdir(exist_ok=True)
        files = [_result(folder, number) for number in range(len(piece))]
        left = [number for number, file in enumerate(files) if not file.exists()]
        with closing(self.work([piece[number] for number in left])) as results:
            for number, result in zip(left, results, strict=False):
                cloudpickle_dump(result, folder / "unfinished")
                (folder / "unfinished").replace(files[number])
        return list(map(pickle_load, files))

    def checkpoint(self, piece: Piece, folder: Path) -> Any:
        """Return what submitit runs in the next allocation."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self, piece, folder)


@dataclass
class Submitted:
    """A piece of work that was submitted to Slurm."""

    job: Any
    folder: Path
    items: list[Any]
    """Items whose results have not come."""
    came: int = 0

    def news(self) -> Iterator[tuple[Any, Any]]:
        """Yield items whose results have come since the last call, and the results."""
        from submitit.core.utils import pickle_load

        while self.items and (file := _result(self.folder, self.came)).exists():
            self.came += 1
            yield self.items.pop(0), pickle_load(file)

    def last_news(self) -> Iterator[tuple[Any, Any]]:
        """Yield, after the end, results that a slow file system has not shown, or the lost item."""
        if self.items and self.job.exception():
            yield self.items.pop(0), Lost(_cause(self.job))
        elif self.items:
            for result in self.job.result()[self.came :]:
                yield self.items.pop(0), result


def _result(folder: Path, number: int) -> Path:
    return folder / f"{number}.pkl"


def _cause(job: Any) -> str:
    text = str(job.exception())  # in submitit's own words
    raised = re.findall(r"^[\w.]*(?:Error|Exception|Exit)\b.*$", text, re.MULTILINE)
    return f"{raised[-1] if raised else 'it left no result'} (log in {job.paths.stderr})"
