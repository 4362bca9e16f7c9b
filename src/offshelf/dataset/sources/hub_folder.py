"""Folders in the layout of the Hugging Face hub: the files of a configuration, their splits, and what they declare."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from offshelf.dataset.kind import is_system
from offshelf.dataset.sources.declared import Declared, of_features, of_readme
from offshelf.dataset.sources.shards import below, find_shards, natural, part_in
from offshelf.dataset.sources.table_file import SUFFIXES
from offshelf.dataset.split_names import part_of
from offshelf.errors import DatasetError

DEFAULT = "default"
"""Name of a configuration that needs no name."""


@dataclass(frozen=True)
class Found:
    """A table of a configuration."""

    path: Path
    part: str
    """Its split; empty if nothing says one."""


@dataclass(frozen=True)
class Layout:
    """The tables of one configuration."""

    config: str
    tables: Sequence[Found]
    declared: Declared


def find_layout(folder: Path, config: str | None) -> Layout | None:
    """Find the tables of a configuration; None if the folder has none.

    Raises:
        DatasetError: There are several configurations, or not this one; or a file that is declared is missing.
    """
    if (folder / "dataset_dict.json").is_file() or (folder / "state.json").is_file():
        return _saved(folder)
    card = _card(folder)
    configs = [one for one in _mappings(card.get("configs")) if "data_files" in one]
    if configs:
        return _of_card(folder, config, configs, card)
    inner = _inner_configs(folder)
    if not inner:
        tables = _tables(folder)
        _require_config(folder, config, [DEFAULT] if tables else [])
        return Layout(DEFAULT, tables, _declared(card, DEFAULT)) if tables else None
    name = _chosen(folder, config, inner)
    return Layout(name, _tables(folder / name), _declared(card, name))


def _card(folder: Path) -> Mapping[str, Any]:
    """Return the YAML at the head of a README; empty if there is none, or it cannot be read."""
    import yaml

    try:
        text = (folder / "README.md").read_text(encoding="utf-8-sig")
    except (OSError, UnicodeError):
        return {}
    head = text.split("\n---", 1)[0].removeprefix("---") if text.startswith("---") else ""
    try:
        found = yaml.safe_load(head)
    except yaml.YAMLError:
        return {}
    return found if isinstance(found, Mapping) else {}


def _mappings(given: Any) -> list[Mapping[str, Any]]:
    several = given if isinstance(given, list) else [given]
    return [one for one in several if isinstance(one, Mapping)]


def _of_card(folder: Path, config: str | None, configs: Sequence[Mapping[str, Any]], card: Mapping[str, Any]) -> Layout:
    by_name = {str(one.get("config_name", DEFAULT)): one for one in configs}
    first = [name for name, one in by_name.items() if one.get("default")]
    name = _chosen(folder, config or (first[0] if first else None), list(by_name))
    tables = [
        Found(path, part)
        for part, patterns in _data_files(by_name[name]["data_files"])
        for pattern in patterns
        for path in _matches(folder, str(by_name[name].get("data_dir") or ""), pattern)
    ]
    if all(table.path.suffix.lower() not in SUFFIXES for table in tables):  # images, or tables of text
        return Layout(name, (), Declared())
    return Layout(name, tables, _declared(card, name))


def _data_files(given: Any) -> Iterator[tuple[str, list[str]]]:
    """Yield split and patterns of `data_files`: a pattern, a list of these, or of mappings; or patterns by split."""
    if isinstance(given, Mapping):
        given = [{"split": split, "path": path} for split, path in given.items()]
    for one in given if isinstance(given, list) else [given]:
        is_mapping = isinstance(one, Mapping)
        path = one.get("path") if is_mapping else one
        patterns = [str(each) for each in (path if isinstance(path, list) else [path])]
        yield (str(one.get("split", "")) if is_mapping else ""), patterns


def _matches(folder: Path, data_dir: str, pattern: str) -> list[Path]:
    inner = PurePosixPath(data_dir) / pattern
    if "://" in pattern or inner.is_absolute() or ".." in inner.parts:
        raise DatasetError(f"{folder / 'README.md'} names files outside the folder: {pattern}. Place them in it.")
    return [shard.path for shard in find_shards(str(folder / inner), SUFFIXES)]


def _declared(card: Mapping[str, Any], config: str) -> Declared:
    """Return what `dataset_info` of a README declares of a configuration."""
    infos = _mappings(card.get("dataset_info"))
    own = [one for one in infos if str(one.get("config_name", DEFAULT)) == config]
    features = (own or infos[: len(infos) == 1] or [{}])[0].get("features")
    return of_readme(_mappings(features))


def _inner_configs(folder: Path) -> list[str]:
    """Return the folders of configurations: those with tables, if none is in the folder itself or in `data/`."""
    if any(path.suffix.lower() in SUFFIXES and path.name.partition(".")[0] != "metadata" for path in folder.iterdir()):
        return []
    inner = [path.name for path in folder.iterdir() if path.is_dir() and not is_system(path.name)]
    holding = [name for name in inner if _tables(folder / name)]
    if any(name == "data" or part_of(name) for name in holding):
        return []
    return sorted(holding, key=natural)


def _tables(folder: Path) -> list[Found]:
    paths = [path for path in below(folder) if path.suffix.lower() in SUFFIXES and path.stem != "metadata"]
    return [Found(path, part_in(path.relative_to(folder).as_posix())) for path in paths]


def _chosen(folder: Path, config: str | None, names: Sequence[str]) -> str:
    if config is None and len(names) == 1:
        return names[0]
    if config is None and DEFAULT in names:
        return DEFAULT
    if config is None:
        raise DatasetError(
            f"{folder} has several configurations: {', '.join(names)}. Choose: dataset.config={names[0]}"
        )
    _require_config(folder, config, names)
    return config


def _require_config(folder: Path, config: str | None, names: Sequence[str]) -> None:
    if config is not None and config not in names:
        raise DatasetError(f"{folder} has no configuration '{config}'; it has: {', '.join(names) or 'none'}.")


def _saved(folder: Path) -> Layout:
    """Return the tables of a folder that `Dataset.save_to_disk` or `DatasetDict.save_to_disk` wrote."""
    if (folder / "dataset_dict.json").is_file():
        splits = [str(name) for name in _json(folder / "dataset_dict.json").get("splits", [])]
        places = [(split, folder / split) for split in splits]
    else:
        places = [("", folder)]
    tables, declared = [], Declared()
    for split, place in places:
        state = _json(place / "state.json")
        for one in state.get("_data_files", []):
            path = place / PurePosixPath(str(one["filename"])).name
            if not path.is_file():
                raise DatasetError(f"{path} is missing, which {place / 'state.json'} names.")
            tables.append(Found(path, split))
        info = _json(place / "dataset_info.json")
        declared |= of_features(info.get("features") or {})
    return Layout(DEFAULT, tables, declared)


def _json(path: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path} cannot be read: {error}.") from error
    if not isinstance(found, Mapping):
        raise DatasetError(f"{path} does not hold a JSON object.")
    return found
