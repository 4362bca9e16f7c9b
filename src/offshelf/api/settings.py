"""Keyword arguments of a verb as a config of its task, and the objects that no config can hold."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

from offshelf.api.backbone import Backbone, load_backbone
from offshelf.api.labelled import Labelled
from offshelf.api.module_backbone import ModuleBackbone
from offshelf.api.overrides import choice, override
from offshelf.api.stores import store_setting
from offshelf.config import load
from offshelf.config.folder import conf_dir, options
from offshelf.dataset import TrainingSizes
from offshelf.errors import ConfigError
from offshelf.remote import Url, is_url
from offshelf.suggest import did_you_mean

GROUPS = {"baseline": "backbone", "query_augmentation": "augmentation", "postprocess_dataset": "dataset"}
"""Keys that options of another group fill."""

TRACKING = {False: "none", True: "mlflow"}

FILES = {
    **dict.fromkeys((".csv", ".tsv"), ("csv", "path")),
    **dict.fromkeys((".parquet", ".pq", ".arrow", ".feather"), ("parquet", "path")),
    ".tar": ("webdataset", "path"),
}
"""Option of `conf/dataset` and its key, by the suffix of a file."""
SEARCHED = ("dataset", "backbone", "classifier", "retrieval", "augmentation", "extractor", "postprocess", "bootstrap")
SEARCHED_LAST = ("race", "store", "tracking")
"""Groups among whose keys a keyword is looked for that is none of the task's own."""


@dataclass
class Settings:
    """What a verb was given."""

    task: str
    overrides: list[str] = field(default_factory=list)
    """As on the command line."""
    objects: dict[str, Any] = field(default_factory=dict)
    """Components that were given as objects, by their keys."""

    @staticmethod
    def of(task: str, given: Mapping[str, Any]) -> "Settings":
        """Sort keyword arguments into overrides and objects.

        A keyword is a key of the task's config; a key inside a group, with `__` for the dot (`dataset__seed`); or a key
        that only one group has (`C`, `test_fraction`). A text for a group is the name of an option.

        Raises:
            ConfigError: a keyword does not exist or is ambiguous, or an option does not exist.
        """
        settings = Settings(task)
        roots = list(load(task, [], complete=False))
        inner: dict[str, Any] = {}
        for key, value in given.items():
            if key not in roots:
                inner[key] = value
            elif _is_group(key):
                settings._group(key, value)
            else:
                settings.overrides.append(override(key, value))
        if inner:
            tree = _tree(load(task, settings.overrides, complete=False))
            for key, value in inner.items():
                settings._inner(_placed(key, tree), value)
        return settings

    def _inner(self, key: str, value: Any) -> None:
        """Take a key inside a group; of a component that was given as an object it is one of its fields."""
        group, _, name = key.replace("__", ".").partition(".")
        if group not in self.objects:
            self.overrides.append(override(key, value))
            return
        thing = self.objects[group]
        names = [one.name for one in fields(thing) if one.init] if is_dataclass(thing) else []
        if name not in names:
            raise ConfigError(
                f"{group} was given as a {type(thing).__name__}, which has no key '{name}'{did_you_mean(name, names)}"
            )
        self.objects[group] = replace(thing, **{name: value})

    def _group(self, key: str, value: Any) -> None:
        """Take a component: an option's name, a mapping of keys, None, or an object."""
        group = GROUPS.get(key, key)
        if key == "store":
            value = store_setting(value)
        if key == "tracking" and isinstance(value, bool):
            value = TRACKING[value]
        if isinstance(value, str):
            self.overrides.append(choice(group if group == key else f"{group}@{key}", value))
        elif value is None or isinstance(value, Mapping):
            self.overrides.append(override(key, value))
        elif isinstance(value, tuple) and value and isinstance(value[0], str):  # an option, and keys of it
            self._group(key, value[0])
            self.overrides += [override(f"{key}.{name}", one) for name, one in value[1].items()]
        elif group == "backbone":
            self._backbone(key, load_backbone(value))
        else:
            self.objects[key] = value

    def _backbone(self, key: str, handle: Backbone) -> None:
        words = handle.overrides
        if not words:
            self.objects[key] = handle.spec
        elif key == "backbone":
            self.overrides += words
        else:
            renamed = [word.replace("backbone.", f"{key}.", 1) for word in words[1:]]
            self.overrides += [words[0].replace("backbone=", f"backbone@{key}=", 1), *renamed]

    @property
    def is_in_memory(self) -> bool:
        """Whether a network is used that only this process knows."""
        return any(isinstance(one, ModuleBackbone) for one in self.objects.values())


def dataset_setting(dataset: Any, test: Any, key: str = "dataset") -> dict[str, Any]:
    """Return the keywords that stand for a data set.

    Args:
        dataset: The name of an option of `conf/dataset`; a folder; a table (.csv, .parquet …) or a tar; the address of
            one of these; a data set of `offshelf.dataset`; (images, labels); or a sequence of (image, label) pairs.
        test: What is tested on: a fraction, or images as those of `dataset`; None: as the data set has it.
        key: Of the config.

    Raises:
        ConfigError: `test` does not fit.
        DatasetError: this is no data set.
    """
    fraction = test if isinstance(test, float) else None
    if isinstance(dataset, str | os.PathLike):
        if test is not None and fraction is None and not isinstance(test, str | os.PathLike):
            raise ConfigError(
                "test= is a fraction, or the path of another source as dataset= is; images in memory go together."
            )
        settings: dict[str, Any] = {f"{key}__test_fraction": fraction} if fraction else {}
        settings |= {} if test is None or fraction else {f"{key}__test": _absolute(test)}
        if isinstance(dataset, str) and dataset in options("dataset"):
            return {key: dataset, **settings}
        path = _absolute(dataset)
        if not set(str(dataset)) & set("/\\.~") and not Path(path).exists():
            raise ConfigError(
                f"dataset has no option '{dataset}'{did_you_mean(str(dataset), list(options('dataset')))} "
                "There is no folder of this name either."
            )
        suffix = Url.of(path).path.suffix if is_url(path) else Path(path).suffix
        kind, place = FILES.get(suffix.lower(), ("folder", "root"))
        return {key: (kind, {place: path}), **settings}
    if hasattr(dataset, "load"):
        if test is None:
            return {key: dataset}
        if not isinstance(dataset, TrainingSizes) or isinstance(test, float):
            raise ConfigError(f"test= goes with images in memory; {type(dataset).__name__} has its own test part.")
        return {key: replace(dataset, test=test)}
    parts = {} if test is None else {"test_fraction": fraction} if fraction else {"test": Labelled.of(test)}
    return {key: Labelled.of(dataset, **parts)}


def _absolute(place: "str | os.PathLike[str]") -> str:
    """Return an absolute path; an address as it is."""
    return str(place) if is_url(place) else str(Path(place).expanduser().absolute())


def _is_group(key: str) -> bool:
    return (conf_dir() / GROUPS.get(key, key)).is_dir()


def _tree(config: Any) -> dict[str, list[str]]:
    """Return the keys of each group, those that have no value yet included."""
    return {str(key): list(config.get(key)) for key in config if hasattr(config.get(key), "keys")}


def _placed(key: str, tree: Mapping[str, list[str]]) -> str:
    """Return where a keyword is in the config.

    Raises:
        ConfigError: in no group, or in several.
    """
    if "__" in key:
        return key
    for groups in (SEARCHED, SEARCHED_LAST):
        found = [group for group in groups if key in tree.get(group, ())]
        if len(found) > 1:
            ways = " or ".join(f"{group}__{key}" for group in found)
            raise ConfigError(f"{key} is a key of {' and of '.join(found)}: say {ways}.")
        if found:
            return f"{found[0]}.{key}"
    every = [name for group in (*SEARCHED, *SEARCHED_LAST) for name in tree.get(group, ())]
    raise ConfigError(f"There is no key '{key}'{did_you_mean(key, [*tree, *every])}")
