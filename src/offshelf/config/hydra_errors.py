"""Errors of Hydra and OmegaConf as one sentence, with the way out."""

import re
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import InterpolationResolutionError, OmegaConfBaseException
from yaml import YAMLError

from offshelf.config.folder import conf_dir
from offshelf.errors import ConfigError, OffshelfError
from offshelf.suggest import did_you_mean, did_you_mean_key

MODEL_FOLDERS = {"torchvision": ("torchvision", "models"), "timm": ("timm", "models")}
"""Backbones of any architecture, and the packages whose functions are named as these."""


def explain(error: BaseException) -> ConfigError:
    """Return an error of Hydra as one sentence, with the nearest existing name."""
    for cause in causes(error):
        if isinstance(cause, OffshelfError):
            return ConfigError(str(cause))
    for cause in causes(error):
        known = _known(cause)
        if known:
            return ConfigError(known)
    return ConfigError(" ".join(str(error).split()) or type(error).__name__)


def causes(error: BaseException | None) -> list[BaseException]:
    """Return an error and its causes, the error first."""
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found


def _known(cause: BaseException) -> str:
    from hydra.errors import MissingConfigException, OverrideParseException

    if isinstance(cause, OverrideParseException):
        return f"'{cause.override}' is not an override: {_expected(str(cause.override))}"
    if isinstance(cause, MissingConfigException):
        return _missing_option(str(cause.missing_cfg_file), cause.options)
    if isinstance(cause, OmegaConfBaseException) and cause.key is not None and cause.parent_node is not None:
        return _unknown_key(cause) or (_unresolved(cause) if isinstance(cause, InterpolationResolutionError) else "")
    if "Config group override must be" in str(cause):
        return "A group takes the name of one of its options, as in store=memory; nothing else stands for one."
    if isinstance(cause, OSError):
        place = f" {cause.filename}" if cause.filename else ""  # of what is written into an open file it is not told
        return (
            f"The output folder{place} cannot be made or written to: {cause.strerror or cause}. Choose another with "
            "hydra.run.dir=…, of a sweep with hydra.sweep.dir=…"
        )
    if isinstance(cause, RecursionError):
        return "A value refers to itself: look for a circle among the ${…} of the config and the overrides."
    if isinstance(cause, YAMLError):
        return f"A config file is not YAML: {' '.join(str(cause).split())}"
    return ""


def _missing_option(file: str, known: Sequence[str] | None) -> str:
    if known is None:
        return f"There is no config '{file}' where configs are looked for."
    group, _, option = file.rpartition("/")
    zoo = _zoo(option) if group.partition("@")[0] == "backbone" and option not in known else ""
    if zoo:
        return f"{group} has no option '{option}', but {zoo} has: {group}={zoo} {group}.arch={option}"
    return f"{group} has no option '{option}'{did_you_mean(option, known)}"


def _zoo(arch: str) -> str:
    """Return the package that has an architecture of this name, by its source: an import would take seconds."""
    name = arch.partition(".")[0]  # timm's names may end in a tag of the weights
    if not re.fullmatch(r"\w+", name):
        return ""
    pattern = re.compile(rf"^@register_model\b.*\n(?:@.*\n)*def {name}\(".encode(), re.MULTILINE)
    for zoo, (package, folder) in MODEL_FOLDERS.items():
        spec = find_spec(package)
        for root in spec.submodule_search_locations or () if spec else ():
            if any(pattern.search(file.read_bytes()) for file in (Path(root) / folder).rglob("*.py")):
                return zoo
    return ""


def _unknown_key(cause: OmegaConfBaseException) -> str:
    """Return a sentence about a key that does not exist; empty if that is not the mistake."""
    parent = cause.parent_node
    keys = [str(key) for key in parent] if isinstance(parent, DictConfig) and not parent._is_none() else []
    if not isinstance(parent, DictConfig) or isinstance(cause, InterpolationResolutionError) or str(cause.key) in keys:
        return ""
    where = str(cause.full_key or cause.key).rpartition(".")[0]
    place = f"{where} has" if where else "There is"
    word = str(cause.key)
    elsewhere = _in_another_option(where, word)
    hint = elsewhere or did_you_mean_key(word, where, _tree(parent))
    return f"{place} no key '{word}'{hint}"


def _in_another_option(group: str, key: str) -> str:
    """Return the end of a sentence about a key that the chosen option of a group lacks and another option needs."""
    folder = conf_dir() / group
    if not group or not folder.is_dir() or not re.fullmatch(r"\w+", key):
        return ""
    needing = [
        file.stem
        for file in sorted(folder.glob("*.yaml"))
        if re.search(rf"^{key}: \?\?\?", file.read_text("utf-8"), re.M)
    ]
    ways = [f"{group}={option} {group}.{key}=…" for option in needing]
    return f" here; there is one with {', or '.join(ways)}" if ways else ""


def _unresolved(cause: OmegaConfBaseException) -> str:
    """Return a sentence about a `${…}` that cannot be resolved."""
    key, text = str(cause.full_key or cause.key), str(cause)
    if "HydraConfig was not set" in text:
        return f"{key} refers to ${{hydra:…}}, which a running job alone knows; give the value itself."
    unset = re.search(r"Environment variable '([^']*)' not found", text)
    if unset:
        return (
            f"{key} refers to the environment variable {unset[1]}, which is not set: set it, or give a value for "
            f"where it is not, ${{oc.env:{unset[1]},VALUE}}"
        )
    missing = re.search(r"Interpolation key '([^']*)' not found", text)
    if missing:
        return f"{key} refers to the key '{missing[1]}', which is not there."
    unsupported = re.search(r"Unsupported interpolation type (\S+)", text)
    if unsupported:
        return f"{key} refers by ${{{unsupported[1]}:…}}, which is not known; there are oc.env, oc.select and others."
    return f"{key} cannot be resolved: {' '.join(text.splitlines()[0].split())}"


def _tree(node: DictConfig) -> Mapping[str, Any]:
    """Return the keys below a node, without those behind references."""
    tree: dict[str, Any] = OmegaConf.to_container(node, resolve=False)  # type: ignore[assignment]
    return {str(key): value for key, value in tree.items() if key != "hydra"}


def _expected(override: str) -> str:
    """Return the form of an override; of a value with special characters, how to quote it."""
    key, equals, value = override.partition("=")
    if not equals or not re.fullmatch(r"[+~]{0,2}[\w.@/:-]+", key):
        return "expected group=option or key=value."
    # Backslashes are doubled before a quote alone.
    quoted = re.sub(r'(\\*)("|\Z)', lambda found: 2 * found[1] + found[2].replace('"', r"\""), value)
    return f"quote a value with such characters, once for Hydra and once for the shell: '{key}=\"{quoted}\"'"
