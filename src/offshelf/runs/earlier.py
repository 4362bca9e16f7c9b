"""Records that an earlier offshelf wrote, whose tasks and components had other names."""

from collections.abc import Iterator, Mapping
from typing import Any

from offshelf.errors import ConfigError

RENAMED = {
    "offshelf.task.classify": "offshelf.tasks.classify.classify",
    "offshelf.task.extract": "offshelf.tasks.extract.extract",
    "offshelf.task.layers": "offshelf.tasks.layers.layers",
    "offshelf.description.describe": "offshelf.tasks.dataset.describe",
    "offshelf.retrieve.retrieve": "offshelf.tasks.retrieve.retrieve",
    "offshelf.recommend.recommend": "offshelf.tasks.recommend.recommend",
    "offshelf.recommend.Rules": "offshelf.tasks.recommend.Rules",
    "offshelf.classifier.LinearSVM": "offshelf.svm.LinearSVM",
    "offshelf.classifier.LinearSVMCV": "offshelf.svm.LinearSVMCV",
}
"""Earlier names in configs, and those of today."""


def require_current_names(config: Any) -> None:
    """Refuse a config with an earlier name as a `_target_`, at any depth.

    Raises:
        ConfigError: with the names of today, and the way out.
    """
    found = dict.fromkeys(_earlier(config))
    if found:
        renamed = ", ".join(f"{name} (today {RENAMED[name]})" for name in found)
        raise ConfigError(
            f"The config was written by an earlier offshelf, as it names {renamed}. Run it again as it was typed, with "
            "its task and overrides; in a config of your own put the names of today."
        )


def _earlier(node: Any) -> Iterator[str]:
    if isinstance(node, Mapping):
        if isinstance(node.get("_target_"), str) and node["_target_"] in RENAMED:
            yield node["_target_"]
        for value in node.values():
            yield from _earlier(value)
    elif isinstance(node, list | tuple):
        for value in node:
            yield from _earlier(value)
