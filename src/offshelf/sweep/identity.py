"""What makes two jobs the same: config, data, and code and weights of networks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from offshelf import __version__
from offshelf.backbone.sources import sources
from offshelf.backbone.weights_file import content_digest
from offshelf.config import build_group
from offshelf.config.job import Job
from offshelf.config.keys import SWEEP_KEYS
from offshelf.errors import BackboneError, ImageError
from offshelf.identity import digest
from offshelf.secret import fingerprinted, masked


@dataclass
class Datasets:
    """Digests of the data and networks of jobs; each is read once in a sweep."""

    known: dict[str, str] = field(default_factory=dict)
    networks: dict[str, str] = field(default_factory=dict)

    def job_digest(self, job: Job) -> str:
        """Return the identity of a job: its config, its data, and the sources of its networks and the user's classes.

        Empty if it has none because its images cannot all be read, or its network is not available.
        """
        if "dataset" not in job.values:
            return ""
        groups = [group for group in ("dataset", "postprocess_dataset") if job.values.get(group)]
        data = [self._digest(job, group) for group in groups]
        made = [self._network(job, group) for group in ("backbone", "baseline") if job.values.get(group)]
        own = [_own_code(job.values)] if all(made) else []
        return digest([__version__, config_text(job.values), *data, *made, *own]) if all(data) and all(made) else ""

    def _network(self, job: Job, group: str) -> str:
        """Return a digest of what a config does not show of a network: its files of weights and code."""
        config = digest(fingerprinted(job.values[group]))
        if config not in self.networks:
            try:
                self.networks[config] = digest(build_group(job.values, group).identity())
            except BackboneError:  # the job will say so; where it is to be run, it may be at hand
                return ""
        return self.networks[config]

    def _digest(self, job: Job, group: str) -> str:
        from offshelf.dataset import load_unsplit

        config = digest(fingerprinted(job.values[group]))
        if config not in self.known:
            try:
                dataset = build_group(job.values, group)
                splits = "classifier" in job.values  # other tasks draw no folds, which small sets may not allow
                self.known[config] = (dataset.load() if splits else load_unsplit(dataset)).digest
            except ImageError:
                self.known[config] = ""
        return self.known[config]


def _own_code(node: Any) -> list[dict[str, str]]:
    """Return digests of the sources of the user's own classes in a config, by module."""
    if isinstance(node, list):
        return [found for each in node for found in _own_code(each)]
    if not isinstance(node, dict):
        return []
    module = str(node.get("_target_", "")).rpartition(".")[0]
    own = sources(module).modules if module.partition(".")[0] not in ("", "offshelf", "sklearn") else {}
    digests = [{name: content_digest(path) for name, path in sorted(own.items())}] if own else []
    return digests + [found for value in node.values() for found in _own_code(value)]


def config_text(values: Mapping[str, Any]) -> str:
    """Return what is to be computed as text, without secrets and without how the jobs of a sweep are run."""
    import yaml

    asked = {key: value for key, value in values.items() if key not in SWEEP_KEYS}
    if "tracking" in asked:  # with another password it is the same store
        asked["tracking"] = masked(asked["tracking"])
    return str(yaml.safe_dump(fingerprinted(asked)))
