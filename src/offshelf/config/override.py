"""Overrides of the command line, before Hydra sees them: what they choose, and which of their values are texts.

Hydra takes `2026_11_29` for the number 20261129 and `1.10` for 1.1, whatever they are meant for. Where the parameter
that gets a value is a text, the value is put in quotes here, as it was typed.
"""

import math
import re
from collections.abc import Iterator, Sequence
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Override, QuotedString, RangeSweep
from omegaconf import DictConfig

from offshelf.config.hydra_errors import explain
from offshelf.config.keys import INJECTED_PARAMETERS, ROOT_ONLY_TARGET
from offshelf.config.parameters import annotation, is_text, of_items, parameters
from offshelf.errors import ConfigError

SLOW_PACKAGES = ("sklearn", "torch", "torchvision", "timm", "hydra", "numpy")
"""Packages whose components are not looked at: importing them takes seconds."""

HYDRA_TEXT_KEYS = ("hydra.run.dir", "hydra.sweep.dir", "hydra.sweep.subdir", "hydra.job.name")

MOST_JOBS = 10_000
"""Jobs of a sweep, at most: the config of each is held in memory."""

VALUE_FUNCTIONS = ("choice", "shuffle", "sort", "tag")
"""Of Hydra's grammar, those whose arguments are values."""


def parse(overrides: Sequence[str]) -> list[Override]:
    """Parse overrides as Hydra does.

    Raises:
        ConfigError: one is not an override.
    """
    try:
        return OverridesParser.create().parse_overrides(list(overrides))
    except Exception as error:
        raise explain(error) from error


def choices(overrides: Sequence[Override]) -> list[list[str]]:
    """Return lists of overrides without sweeps: all first choices, then for each other choice a list with it."""
    options = [_options(override) for override in overrides]
    first = [choices[0] for choices in options if choices]
    others = [
        [other if choices is changed else choices[0] for choices in options if choices]
        for changed in options
        for other in changed[1:]
    ]
    return [first, *others]


def job_count(overrides: Sequence[Override]) -> float:
    """Jobs of a sweep over every combination; patterns of names count as one."""
    return math.prod(_count(override) for override in overrides if override.is_sweep_override())


def require_few(count: float) -> None:
    """Raise ConfigError for a sweep of more than MOST_JOBS jobs, before any is composed."""
    if count > MOST_JOBS:
        raise ConfigError(
            f"These overrides make {count:,} jobs, and a sweep has at most {MOST_JOBS:,}: give fewer values, or run "
            "several sweeps."
        )


def with_texts(overrides: Sequence[Override], configs: Sequence[DictConfig]) -> list[str]:
    """Return overrides as they were typed, with quotes around values that are texts but look like numbers or lists.

    Args:
        overrides: Parsed.
        configs: What they compose, a config a choice.
    """
    return [_with_texts(override, configs) for override in overrides]


def looks_otherwise(override: Override) -> bool:
    """Return whether Hydra takes a value of an override for something else than a text."""
    return any(not isinstance(value, str | QuotedString) for value in _values(override))


def _with_texts(override: Override, configs: Sequence[DictConfig]) -> str:
    line = str(override.input_line)
    if override.is_delete() or override.package is not None or not looks_otherwise(override):
        return line
    key = override.key_or_group
    kinds = [str] if key in HYDRA_TEXT_KEYS else [_wanted(config, key) for config in configs]
    scalar, items = any(map(is_text, kinds)), any(is_text(of_items(kind)) for kind in kinds)
    if not scalar and not items:
        return line
    if isinstance(override._value, RangeSweep):
        numbers = ",".join(_quote(str(value)) for value in override.sweep_string_iterator())
        return f"{override.get_key_element()}={numbers}"
    text = override.get_value_string().strip()
    if re.fullmatch(r"choice\([^()]*\)", text):
        text = text[len("choice(") : -1]  # in a function Hydra loses the quotes
    return f"{override.get_key_element()}={quoted(text, scalar, items)}"


def quoted(text: str, scalar: bool, items: bool) -> str:
    """Return a value with quotes around words that Hydra takes for something else than texts.

    Args:
        text: The value.
        scalar: Whether words outside lists are quoted.
        items: Whether words in lists are quoted.
    """
    made, depth = "", 0
    for word, mark in _words(text):
        wanted = items if depth else scalar
        is_word = word.strip() and "=" not in word and "{" not in made
        made += word.replace(word.strip(), _quote(word.strip()), 1) if wanted and is_word and _is_other(word) else word
        if mark == "(" and word.strip() not in VALUE_FUNCTIONS:
            return text  # of numbers: interval, range
        depth += {"[": 1, "]": -1}.get(mark, 0)
        made += mark
    return made


def _words(text: str) -> Iterator[tuple[str, str]]:
    """Yield words and the mark after each; a quoted text counts as a mark."""
    yield from re.findall(r"""([^\[\](){},'"]*)('(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|[\[\](){},'"]|$)""", text)


def _is_other(word: str) -> bool:
    try:
        value = OverridesParser.create().parse_rule(word.strip(), "primitive")
    except Exception:  # no word of its own: its override has been parsed as a whole
        return False
    return value is not None and not isinstance(value, str | QuotedString)


def _quote(word: str) -> str:
    return f"'{word}'"


def _values(override: Override) -> Iterator[Any]:
    value = override._value
    waiting = [getattr(value, "list", value)]
    while waiting:
        one = waiting.pop()
        if isinstance(one, list):
            waiting += one
        elif isinstance(one, dict):
            waiting += one.values()
        else:
            yield one


def _wanted(config: DictConfig, key: str) -> Any:
    """Return the annotation of the parameter that gets a key's value; Any if it has none or is not imported here."""
    *above, last = key.split(".")
    node: Any = config
    try:
        for part in above:
            node = node[part]
        target = node.get("_target_")
        if node is config and last in parameters(ROOT_ONLY_TARGET):
            return annotation(parameters(ROOT_ONLY_TARGET), last)
        if not isinstance(target, str) or target.partition(".")[0] in SLOW_PACKAGES or last in INJECTED_PARAMETERS:
            return Any
        return annotation(parameters(target), last)
    except Exception:  # it is told where the config is checked
        return Any


def _options(override: Override) -> list[str]:
    if not override.is_sweep_override():
        return [str(override.input_line)]
    if not override.is_discrete_sweep() or "glob(" in str(override.input_line):
        return []
    if isinstance(override._value, RangeSweep) and _count(override) > MOST_JOBS:  # of a sweeper that chooses among them
        return [f"{override.get_key_element()}={override._value.start}"]
    return [f"{override.get_key_element()}={value}" for value in override.sweep_string_iterator()]


def _count(override: Override) -> float:
    """Values of a sweep, none of them made: a range may have any number."""
    value = override._value
    if isinstance(value, ChoiceSweep):
        return len(value.list)
    if not isinstance(value, RangeSweep) or value.start is None or value.stop is None or not value.step:
        return 1
    steps = (value.stop - value.start) / value.step
    return max(0, math.ceil(steps)) if math.isfinite(steps) else steps


def layer_pattern(argument: str) -> str:
    """Return `layer=glob(…)` as a pattern, so that one pass takes all that match: Hydra's glob is for groups."""
    found = re.fullmatch(r"layer=glob\((.*)\)", argument)
    return f"layer='{found.group(1)}'" if found else argument


def beyond_ascii(argument: str) -> str:
    """Return `key=Äpfel` with quotes, which Hydra's grammar requires around letters beyond ASCII."""
    found = re.fullmatch(r"([\w./@+~]+)=([\w ./~@%+\x80-\U0010ffff-]+)", argument)
    return f"{found[1]}='{found[2]}'" if found and not found[2].isascii() else argument
