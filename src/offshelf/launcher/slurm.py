"""Jobs as an array of a Slurm cluster, by submitit."""

import re
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from offshelf.errors import ConfigError
from offshelf.launcher.launcher import Lost
from offshelf.terminal import say

CLUSTERS = ("slurm", "local")
POLL_SECONDS = 1.0
"""Between looks at the jobs; submitit asks Slurm less often than that."""


@dataclass(frozen=True)
class Slurm:
    """See Launcher."""

    cluster: str = "slurm"
    partition: str | None = None
    timeout_min: int = 240
    gpus: int = 0
    cpus: int = 4
    memory_gb: float | None = None
    array_parallelism: int = 32
    requeues: int = 3
    """Times that a job goes on in a new allocation after its time was up; after preemption always."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Further ones of sbatch."""

    def __post_init__(self) -> None:
        if self.cluster not in CLUSTERS:
            raise ConfigError(f"launcher.cluster is {' or '.join(CLUSTERS)}; got '{self.cluster}'.")
        for name in ("timeout_min", "cpus", "array_parallelism"):
            if not isinstance(getattr(self, name), int) or getattr(self, name) < 1:
                raise ConfigError(f"launcher.{name} is a positive whole number; got {getattr(self, name)}.")

    @property
    def slots(self) -> int:
        """See Launcher."""
        return 1

    def run(
        self, items: Sequence[Any], work: Callable[[Any], Any], folder: Path
    ) -> Generator[tuple[int, Any], None, None]:
        """See Launcher.

        Raises:
            ConfigError: submitit is not installed, there is no Slurm, or it refuses the job.
        """
        executor = self._executor(folder / "submitit")
        at_once = len(items) if self.cluster == "slurm" else self.array_parallelism  # Slurm sees to that itself
        left = list(range(len(items)))[::-1]
        jobs: dict[int, Any] = {}
        try:
            while left or jobs:
                numbers = [left.pop() for _ in range(min(len(left), at_once - len(jobs)))]
                jobs |= self._submit(executor, Restartable(work), numbers, items)
                for number in [number for number, job in jobs.items() if job.done()]:
                    yield number, _result(jobs.pop(number))
                if jobs:
                    time.sleep(POLL_SECONDS)
        finally:
            for job in jobs.values():
                job.cancel(check=False)
            for job in jobs.values() if self.cluster == "local" else ():
                job._process.wait()

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

    def _submit(
        self, executor: Any, work: "Restartable", numbers: Sequence[int], items: Sequence[Any]
    ) -> dict[int, Any]:
        if not numbers:
            return {}
        from submitit.core.utils import FailedSubmissionError

        try:
            jobs = executor.map_array(work, [items[number] for number in numbers])
        except FailedSubmissionError as error:
            raise ConfigError(f"Slurm refuses the jobs: {' '.join(str(error).split())}") from error
        if self.cluster == "slurm":
            say(f"Submitted: Slurm job {jobs[0].job_id.partition('_')[0]}, {len(jobs)} of an array", stderr=True)
        return dict(zip(numbers, jobs, strict=True))


@dataclass(frozen=True)
class Restartable:
    """Work that is done again where it was broken off: what it has put into the store it will find there."""

    work: Callable[[Any], Any]

    def __call__(self, item: Any) -> Any:
        """Do it."""
        return self.work(item)

    def checkpoint(self, item: Any) -> Any:
        """What submitit is to run in the next allocation."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self, item)


def _result(job: Any) -> Any:
    error = job.exception()
    if error is None:
        return job.result()
    raised = re.findall(r"^[\w.]*(?:Error|Exception|Exit)\b.*$", str(error), re.MULTILINE)  # in submitit's own words
    return Lost(f"{raised[-1] if raised else 'it left no result'} (log in {job.paths.stderr})")
