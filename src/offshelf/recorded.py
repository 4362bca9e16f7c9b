"""Which features a recorded config needs, and how they are had again."""

from collections.abc import Mapping
from typing import Any

from offshelf.config import components

GROUPS = (
    *("dataset", "postprocess_dataset", "augmentation", "query_augmentation", "backbone", "extractor", "baseline"),
)
"""Those that say which features a run needs."""


def rebuild(config: Mapping[str, Any], store: Any, seen: set[str]) -> int:
    """Extract again what a recorded run needs and the store lacks, unless `seen` has the like. Returns images done.

    Raises:
        OffshelfError: its data, its network or its config is not to be had any more.
    """
    from offshelf.identity import digest
    from offshelf.task import refill

    groups = {name: config.get(name) for name in GROUPS}
    values: dict[str, Any] = {name: config.get(name) for name in ("layer", "pooling", "on_error")}
    name = digest({**groups, **values})
    if name in seen:
        return 0
    seen.add(name)
    return refill(**components(config, tuple(groups)), **values, store=store)


def recheck(config: Mapping[str, Any], store: Any, seen: set[str], count: int) -> list[Any]:
    """Extract `count` images of a recorded run again and compare, unless `seen` has the like; see again.Comparison.

    Raises:
        OffshelfError: its data, its network or its config is not to be had any more.
    """
    from offshelf.identity import digest
    from offshelf.task import compared

    groups = {name: config.get(name) for name in GROUPS}
    values: dict[str, Any] = {name: config.get(name) for name in ("layer", "pooling", "on_error")}
    name = digest({**groups, **values})
    if name in seen:
        return []
    seen.add(name)
    return compared(**components(config, tuple(groups)), **values, store=store, count=count)


def needs(config: Mapping[str, Any], planned: set[Any]) -> list[str]:
    """What extraction a recorded config still needs, in words, beside features that are `planned`; it joins them.

    Raises:
        OffshelfError: its data, its network or its config is not to be had.
    """
    from offshelf.task import outstanding

    parts = components(config, (*GROUPS, "store"))
    return outstanding(**parts, **{name: config[name] for name in ("layer", "pooling", "on_error")}, planned=planned)
