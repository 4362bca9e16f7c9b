"""Which features a recorded config needs, and how they are had again."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from offshelf.config.build import components
from offshelf.config.trust import EVERYTHING, Trust

if TYPE_CHECKING:
    from offshelf.tasks.features import Needs

GROUPS = (
    *("dataset", "postprocess_dataset", "augmentation", "query_augmentation", "backbone", "extractor", "baseline"),
)
"""Those that say which features a run needs."""
VALUES = ("layer", "pooling", "on_error")
"""And the plain values that do."""


def rebuild(config: Mapping[str, Any], store: Any, seen: set[str], trust: Trust) -> int:
    """Extract again what a recorded run needs and the store lacks, unless `seen` has the like. Returns images done.

    Raises:
        OffshelfError: its data, its network or its config is not to be had any more, or names what is not trusted.
    """
    return _needs(config, store, trust).refill() if _is_new(config, seen) else 0


def recheck(config: Mapping[str, Any], store: Any, seen: set[str], count: int, trust: Trust) -> list[Any]:
    """Extract `count` images of a recorded run again and compare, unless `seen` has the like; see again.Comparison.

    Raises:
        OffshelfError: its data, its network or its config is not to be had any more, or names what is not trusted.
    """
    return _needs(config, store, trust).compare(count) if _is_new(config, seen) else []


def needs(config: Mapping[str, Any], planned: set[Any]) -> list[str]:
    """What extraction a composed config still needs, in words, beside features that are `planned`; it joins them.

    Raises:
        OffshelfError: its data, its network or its config is not to be had.
    """
    store = components(config, ("store",), EVERYTHING)["store"]
    return _needs(config, store, EVERYTHING).outstanding(planned)


def _needs(config: Mapping[str, Any], store: Any, trust: Trust) -> "Needs":
    from offshelf.tasks.features import Needs

    values: dict[str, Any] = {name: config.get(name) for name in VALUES}
    return Needs(**components(config, GROUPS, trust), **values, store=store)


def _is_new(config: Mapping[str, Any], seen: set[str]) -> bool:
    """Whether no config that needs the same was seen; this one is, from now on."""
    from offshelf.identity import digest

    name = digest({name: config.get(name) for name in (*GROUPS, *VALUES)})
    if name in seen:
        return False
    seen.add(name)
    return True
