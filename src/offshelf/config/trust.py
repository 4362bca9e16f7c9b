"""Whose code a recorded config may run: offshelf's components, scikit-learn's estimators, packages that the user names.

A config that the user composes on the command line is a program of theirs. One that is read from a run's record may be
anybody's, and is checked before anything that it names is imported.
"""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import Any

from offshelf.errors import ConfigError
from offshelf.home import home_path, is_within

COMPONENT_PACKAGES = (
    *("augmentation", "backbone", "classifier", "dataset", "extractor", "knn", "launcher", "layer_fusion", "logistic"),
    *(
        "metric",
        "postprocess",
        "report.html",
        "retrieval",
        "ridge",
        "store",
        "svm",
        "sweep",
        "tasks.recommend",
        "tracking",
    ),
)
"""Those of offshelf whose public classes are components."""

COMPONENT_FUNCTIONS = frozenset(
    {
        *("offshelf.augmentation." + name for name in ("center", "five_crop", "jitter16", "jitter8", "mirror")),
        *("offshelf.augmentation." + name for name in ("multi_scale", "square", "ten_crop", "whole")),
        *("offshelf.classifier.gram", "offshelf.postprocess.chain"),
    }
)
"""Functions that make components, or are a parameter of one."""

RECORDED_TASKS = frozenset(
    {"offshelf.tasks.classify.classify", "offshelf.tasks.retrieve.retrieve", "offshelf.tasks.recommend.recommend"}
)
"""What a recorded config as a whole may stand for."""

CODE_KEYS = {"offshelf.backbone.Custom": "module", "offshelf.backbone.TorchHub": "repo"}
"""Components that run code which is not offshelf's, and the key that names it."""

SHIPPED_REPOSITORIES = frozenset({"facebookresearch/dinov2"})
"""Hub repositories that a shipped config names."""

GETTERS = frozenset({"hydra.utils.get_class", "hydra.utils.get_method", "hydra.utils.get_object"})
"""They give what their `path` names, and call nothing."""

TARGET = "_target_"


@dataclass(frozen=True)
class Trust:
    """The code that may be run beside the components of offshelf and scikit-learn."""

    packages: tuple[str, ...] = ()
    """Dotted names; hub repositories as `owner/name`, or their folder."""
    everything: bool = False
    """Of a config that the user has composed."""

    @staticmethod
    def of(setting: str) -> "Trust":
        """Parse the setting of the command line: names, separated by commas."""
        return Trust(tuple(name.strip() for name in setting.split(",") if name.strip()))

    def require(self, config: Any) -> None:
        """Refuse a config that names anything else; imports only what is trusted.

        Raises:
            ConfigError: with the names, and how to trust them.
        """
        if self.everything:
            return
        if self.packages and str(Path.cwd()) not in sys.path:
            sys.path.append(str(Path.cwd()))  # where modules of one's own are looked for
        refused = {name: by for name, by in _named(config) if not self._takes(name, by)}
        if refused:
            owners = ",".join(dict.fromkeys(by or name.partition(".")[0] for name, by in refused.items()))
            given = ",".join(dict.fromkeys((*self.packages, *owners.split(","))))
            raise ConfigError(
                f"The record names {', '.join(refused)}, which is not a component of offshelf or scikit-learn: to "
                f"build it would run code that the author of the record has chosen. If you trust it, add: trust={given}"
            )

    def _takes(self, name: str, repository: str) -> bool:
        if repository:
            return (
                repository in (*self.packages, *SHIPPED_REPOSITORIES) or repository.partition(":")[0] in self.packages
            )
        if name in RECORDED_TASKS | COMPONENT_FUNCTIONS | GETTERS or _is_component(name) or _is_estimator(name):
            return True
        is_named = any(name == one or name.startswith(f"{one}.") for one in self.packages)
        return is_named and self._is_theirs(name)

    def _is_theirs(self, name: str) -> bool:
        """Return whether a trusted package defines a name instead of importing it: `mine.os.system` is not mine."""
        found = _found(name)
        owner = str(getattr(found, "__module__", None) or "").partition(".")[0]
        return found is None or owner in {one.partition(".")[0] for one in self.packages}


EVERYTHING = Trust(everything=True)
"""For configs that the user has composed."""


def without_foreign_downloads(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a recorded config whose data sets download only into its home, from published addresses, verified.

    A record may name any folder and any mirror. A set that is already in such a folder is read; nothing is written.
    """
    given = config.get("home")
    home = home_path(given if isinstance(given, str) else None)
    return {str(key): _bounded(value, home) for key, value in config.items()}


def on_this_machine(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a recorded config whose extraction runs here: a record chooses no cluster, nor what nodes install."""
    found, extractor = dict(config), config.get("extractor")
    if isinstance(extractor, Mapping):
        found["extractor"] = {key: value for key, value in extractor.items() if key not in ("cluster", "ray")}
    return found


def is_task(config: Mapping[str, Any]) -> bool:
    """Return whether a config is that of a task that leaves records."""
    return str(config.get(TARGET)) in RECORDED_TASKS


def _bounded(node: Any, home: Path) -> Any:
    if isinstance(node, list | tuple):
        return [_bounded(value, home) for value in node]
    if not isinstance(node, Mapping):
        return node
    bounded = {key: _bounded(value, home) for key, value in node.items()}
    if "download" not in node and not _downloads(str(node.get(TARGET))):
        return bounded
    official = node.get("verify", True) and not node.get("mirrors") and not node.get("allow_unverified")
    is_ours = official and not node.get("_args_") and is_within(str(node.get("root") or "/"), home)
    return bounded if is_ours else {**bounded, "download": False}


def _downloads(target: str) -> bool:
    found = _found(target) if target.startswith("offshelf.dataset.") else None
    return isinstance(found, type) and "download" in signature(found).parameters


def _named(node: Any) -> Iterator[tuple[str, str]]:
    """Yield all code that a config would run, at any depth; without a dotted name, also the word to trust it by."""
    if isinstance(node, Mapping):
        if TARGET in node:
            yield from _of_target(str(node[TARGET]), node)
        for key, value in node.items():
            yield from _named(value)
            if isinstance(value, str) and str(key).rpartition("__")[2] == "memory":  # of scikit-learn's pipelines
                yield f"the cache {value}, which is made of pickles", value
    elif isinstance(node, list | tuple):
        for value in node:
            yield from _named(value)


def _of_target(target: str, node: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield target, ""
    if target in GETTERS:
        yield str(node.get("path")), ""
    found = _found(target) if target.startswith("offshelf.") else None
    for name, key in CODE_KEYS.items():
        if found is not None and found is _found(name):
            code = str(node.get(key))
            yield code, code if key == "repo" else ""


def _is_component(name: str) -> bool:
    """Return whether a dotted name is that of a public class of one of COMPONENT_PACKAGES, by whichever path."""
    found = _found(name) if name.startswith("offshelf.") else None
    if not isinstance(found, type):
        return False
    for package in COMPONENT_PACKAGES:
        if f"{found.__module__}.".startswith(f"offshelf.{package}."):
            public = import_module(f"offshelf.{package}")
            return found.__name__ in public.__all__ and getattr(public, found.__name__) is found
    return False


def _is_estimator(name: str) -> bool:
    if not name.startswith("sklearn."):
        return False
    from sklearn.base import BaseEstimator

    found = _found(name)
    return isinstance(found, type) and issubclass(found, BaseEstimator) and found.__module__.startswith("sklearn.")


def _found(name: str) -> Any:
    """Return what a dotted name stands for; None if it cannot be found, which building it explains better."""
    from pydoc import ErrorDuringImport, locate

    try:
        return locate(name)
    except ErrorDuringImport:
        return None
