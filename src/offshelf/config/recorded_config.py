"""What is made from a recorded config: its features, extracted again where they are missing, and its tracker."""

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Any

from offshelf.config.instantiation import components
from offshelf.config.trust import EVERYTHING, Trust
from offshelf.errors import ConfigError
from offshelf.home import home_dir
from offshelf.secret import is_masked, masked

if TYPE_CHECKING:
    from offshelf.tasks.features import FeatureSpec
    from offshelf.tracking import Tracker

VALUES = ("layer", "pooling", "on_error")
"""Fields of a FeatureSpec that are plain values; all others are components."""


def reextract(config: Mapping[str, Any], store: Any, seen: set[str], trust: Trust) -> int:
    """Extract again what a recorded run needs and the store lacks, unless `seen` holds a run with the same needs.

    Returns:
        The number of images.

    Raises:
        OffshelfError: its data, its network or its config is not available any more, or names what is not trusted.
    """
    return feature_spec(config, trust, store).extract_missing() if _is_new(config, seen) else 0


def recheck(config: Mapping[str, Any], store: Any, seen: set[str], count: int, trust: Trust) -> list[Any]:
    """Extract `count` images of a recorded run again and compare, unless `seen` holds a run with the same needs.

    Returns:
        A `Comparison` per pass over the images.

    Raises:
        OffshelfError: its data, its network or its config is not available any more, or names what is not trusted.
    """
    return feature_spec(config, trust, store).compare(count) if _is_new(config, seen) else []


def missing_features(config: Mapping[str, Any], planned: set[Any]) -> list[str]:
    """Describe what a composed config still has to extract, apart from features that are `planned`; it joins them.

    Raises:
        OffshelfError: its data, its network or its config is not available.
    """
    return feature_spec(config, EVERYTHING).missing(planned)


def feature_spec(config: Mapping[str, Any], trust: Trust, store: Any = None) -> "FeatureSpec":
    """Make the FeatureSpec of a resolved config.

    Args:
        config: The config of any task that extracts features with one backbone.
        trust: What it may name.
        store: A feature store to use instead of the config's own.

    Raises:
        ConfigError: a component is missing, cannot be made, or is not trusted.
    """
    from offshelf.tasks.features import FeatureSpec

    wanted = [field for field in fields(FeatureSpec) if store is None or field.name != "store"]
    lacking = [one.name for one in wanted if one.default is MISSING and config.get(one.name) is None]
    if lacking:
        raise ConfigError(f"The config has no {', '.join(lacking)}, so that its features are not known.")
    names = [one.name for one in wanted if config.get(one.name) is not None]
    found = components(config, [name for name in names if name not in VALUES], trust)
    found |= {name: config[name] for name in names if name in VALUES}
    return FeatureSpec(**found) if store is None else FeatureSpec(**found, store=store)


def require_secrets(config: Mapping[str, Any]) -> None:
    """Refuse a config with masked secrets; the store's address may be completed from the environment later."""
    from offshelf.report import flat

    keys = [key for key, value in flat(config).items() if is_masked(value) and key != "tracking.uri"]
    if keys:
        raise ConfigError(
            f"The run had a secret in {', '.join(keys)}, which is on no record. Run it again as it was typed, with its "
            "task and overrides."
        )


def recorded_tracker(config: Mapping[str, Any], home: str, uri: str, trust: Trust) -> "Tracker":
    """Return the recorded tracker, in the home that the run was looked for in.

    A server or database gets a run only if the user names it, not because a record does.

    Raises:
        ConfigError: the record names another.
    """
    tracking = config.get("tracking") or {"_target_": "offshelf.tracking.NoTracking"}
    recorded = masked(str(tracking.get("uri") or ""))
    if recorded and recorded != masked(uri):
        address = (
            "its whole address as uri=…; the password is on no record" if is_masked(recorded) else f"uri={recorded}"
        )
        raise ConfigError(
            f"By its record the run was tracked in {recorded}. To leave nothing behind, add --check; to send this one "
            f"there too, add {address}."
        )
    named = {"tracking": tracking | ({"uri": uri} if recorded else {})}
    if str(tracking.get("_target_")).startswith("offshelf.") and "home" in tracking:
        named["tracking"] |= {"home": str(home_dir(home))}
    tracker: Tracker = components(named, ("tracking",), trust)["tracking"]
    return tracker


def feature_identity(config: Mapping[str, Any], without: Sequence[str] = ()) -> str:
    """Return the digest of the parts of a config that say which features it needs, except the keys in `without`."""
    from offshelf.identity import digest
    from offshelf.tasks.features import FeatureSpec

    names = [field.name for field in fields(FeatureSpec)]
    return digest({name: config.get(name) for name in names if name not in without})


def _is_new(config: Mapping[str, Any], seen: set[str]) -> bool:
    """Return whether `seen` holds no config with the same needs, and add this one."""
    name = feature_identity(config, without=("store",))
    if name in seen:
        return False
    seen.add(name)
    return True
