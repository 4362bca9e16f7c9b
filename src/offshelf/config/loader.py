"""Hydra's loader of configs, for many configs that differ in values: what their groups make up is composed once."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from functools import lru_cache
from typing import Any

import hydra._internal.hydra
from hydra._internal.config_loader_impl import ConfigLoaderImpl, get_overrides_dirname
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from omegaconf import DictConfig
from typing_extensions import override

MOST_KEPT = 50
"""Configs that are kept to be copied; a sweep over groups has more, and composes them again."""


class SharingLoader(ConfigLoaderImpl):
    """A loader that composes configs as Hydra does, and faster: it copies one that chooses the same options.

    Hydra reads the files of all groups again for each config, which takes a tenth of a second. Here the values that
    independent overrides set are left out of what is composed, and set in a copy of it, by Hydra's own function.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._kept: dict[Any, DictConfig] = {}
        self._is_group = lru_cache(self._find_group)

    @override
    def _load_configuration_impl(
        self, config_name: str | None, overrides: list[str], *arguments: Any, **named: Any
    ) -> DictConfig:
        parsed = [_parse(line) for line in overrides]
        paths = tuple(line for line in overrides if "hydra.searchpath" in line)
        values = independent(
            [one for one in parsed if not self._is_group(one.key_or_group, config_name, paths)], parsed
        )
        others = [str(one.input_line) for one in parsed if one not in values]
        key = (config_name, *others, *arguments, *named.items())
        if key not in self._kept:
            if len(self._kept) >= MOST_KEPT:
                self._kept.clear()
            self._kept[key] = super()._load_configuration_impl(config_name, others, *arguments, **named)
        config = deepcopy(self._kept[key])
        self._apply_overrides_to_config(values, config)
        _record(config, [one for one in parsed if not one.is_hydra_override()])
        return config

    def _find_group(self, name: str, config_name: str | None, search_paths: tuple[str, ...]) -> bool:
        _, repository = self._parse_overrides_and_create_caching_repo(config_name, list(search_paths))
        return bool(repository.group_exists(name))


def independent(candidates: Sequence[Override], overrides: Sequence[Override]) -> list[Override]:
    """Return the candidates that set a value which no other of the overrides sets too, so that their order is free."""
    return [
        one
        for one in candidates
        if one.type == OverrideType.CHANGE
        and one.package is None
        and not (one.is_sweep_override() or one.is_hydra_override())
        and re.fullmatch(r"\w+(\.\w+)*", one.key_or_group)
        and not any(_overlap(one.key_or_group, other.key_or_group) for other in overrides if other is not one)
    ]


@contextmanager
def sharing_composition() -> Iterator[None]:
    """Have Hydra load configs with a SharingLoader in this block."""
    module: Any = hydra._internal.hydra
    module.ConfigLoaderImpl = SharingLoader
    try:
        yield
    finally:
        module.ConfigLoaderImpl = ConfigLoaderImpl


@lru_cache(maxsize=20_000)
def _parse(line: str) -> Override:
    parsed: list[Override] = OverridesParser.create().parse_overrides([line])
    return parsed[0]


def _overlap(key: str, other: str) -> bool:
    """Return whether one of two keys is the other, or above it."""
    return f"{key}.".startswith(f"{other}.") or f"{other}.".startswith(f"{key}.")


def _record(config: DictConfig, overrides: Sequence[Override]) -> None:
    """Put the overrides into Hydra's settings, in their order."""
    config.hydra.overrides.task = [one.input_line for one in overrides]
    names = config.hydra.job.config.override_dirname
    config.hydra.job.override_dirname = get_overrides_dirname(
        overrides=list(overrides), kv_sep=names.kv_sep, item_sep=names.item_sep, exclude_keys=names.exclude_keys
    )
