"""What makes two jobs the same: config and data."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from offshelf import __version__
from offshelf.config import HOW, build_group, plain
from offshelf.errors import ImageError
from offshelf.identity import digest
from offshelf.launcher import Job
from offshelf.secret import fingerprinted, masked

if TYPE_CHECKING:
    from omegaconf import DictConfig


@dataclass
class Datasets:
    """Digests of the data of jobs; each data set is read once in a sweep."""

    known: dict[str, str] = field(default_factory=dict)

    def job_digest(self, job: Job) -> str:
        """Identity of a job: its config and its data; empty where it has none, or its images cannot all be read."""
        if "dataset" not in job.config:
            return ""
        groups = [group for group in ("dataset", "postprocess_dataset") if job.config.get(group)]
        data = [self._digest(job, group) for group in groups]
        return digest([__version__, config_text(job.config), *data]) if all(data) else ""

    def _digest(self, job: Job, group: str) -> str:
        from offshelf.dataset import load_unsplit

        config = digest(fingerprinted(plain(job.config)[group]))
        if config not in self.known:
            try:
                dataset = build_group(job.config, group)
                splits = "classifier" in job.config  # other tasks draw no folds, which small sets may not allow
                self.known[config] = (dataset.load() if splits else load_unsplit(dataset)).digest
            except ImageError:
                self.known[config] = ""
        return self.known[config]


def config_text(config: "DictConfig") -> str:
    """What is to be computed, as text; not how the jobs of a sweep are run, and no secret."""
    import yaml

    asked = {key: value for key, value in plain(config).items() if key not in HOW}
    if "tracking" in asked:  # with another password it is the same store
        asked["tracking"] = masked(asked["tracking"])
    return str(yaml.safe_dump(fingerprinted(asked)))
