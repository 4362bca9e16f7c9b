"""Common names of the parts of a split: `train`, `Training`, `test_set`, `val2017`."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Literal

from offshelf.errors import ConfigError

Part = Literal["train", "val", "test"]
Split = str | Mapping[str, str | Sequence[str]]
"""`auto`, `none`, or the names of the folders or parts to `train` and to `test` on."""

WORDS: dict[str, Part] = {
    **dict.fromkeys(("train", "training", "trn", "trainval"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "validate", "vali", "dev", "development"), "val"),
    **dict.fromkeys(("test", "testing", "tst", "tests", "eval", "evaluation", "holdout"), "test"),
}
FILLERS = ("set", "sets", "data", "dataset", "images", "image", "imgs", "img", "split", "part", "partition", "samples")
"""Additional words that do not change the meaning."""


ALIKE = "case, accents, spaces or zeros"
"""Differences that `as_read` ignores."""


def require_split(split: Split, val: str | None, part: str) -> None:
    """Raise ConfigError for an invalid split; `part` is what the parts are named by, such as FOLDER."""
    if val not in (None, "train", "test", "ignore"):
        raise ConfigError(f"dataset.val must be train, test, ignore, or null; got '{val}'.")
    if isinstance(split, Mapping):
        if set(split) != {"train", "test"}:
            raise ConfigError(f"dataset.split must have the keys train and test; got {', '.join(split) or 'none'}.")
    elif split not in ("auto", "none"):
        raise ConfigError(f"dataset.split must be auto, none, or {{train: {part}, test: {part}}}; got '{split}'.")


@lru_cache(maxsize=1024)
def part_of(name: str) -> Part | None:
    """Return the part that a name stands for, in any case, with numbers and fillers; None if it has other words."""
    parts, others = _words(name)
    if set(parts) == {"train", "val"}:
        parts = ["train"]
    return parts[0] if len(parts) == 1 and not others else None


def part_among(name: str) -> tuple[Part, tuple[str, ...]] | None:
    """Return the part that one word of a name stands for, and its other words, as in `seg_train`; else None."""
    parts, others = _words(name)
    return (parts[0], others) if len(parts) == 1 else None


def folded(name: str) -> str:
    """Return a name in a form independent of case and of the encoding of accents."""
    return unicodedata.normalize("NFC", name).casefold()


def as_read(name: str) -> str:
    """Return a name as people read it, ignoring case, accents, spaces, invisible characters and leading zeros."""
    seen = "".join(letter for letter in unicodedata.normalize("NFKC", name) if unicodedata.category(letter) != "Cf")
    number = re.fullmatch(r"\s*([+-]?)0*(\d+)(?:\.0*)?\s*", seen, re.ASCII)
    if number:
        return number[1].replace("+", "") + number[2]
    return re.sub(r"[\s_]+", " ", seen).strip().casefold()


def told_apart(name: str) -> str:
    """Return a name for display next to a similar one: quoted if it has odd spaces or invisible characters."""
    return name if name.isprintable() and name == name.strip() and "  " not in name else ascii(name)


def _words(name: str) -> tuple[list[Part], tuple[str, ...]]:
    parts: list[Part] = []
    others: list[str] = []
    for word in re.findall(r"[^\W\d_]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", name)):
        found = _part(word.casefold())
        if found:
            parts.append(found)
        elif word.casefold() not in FILLERS:
            others.append(word.casefold())
    return parts, tuple(others)


def _part(word: str) -> Part | None:
    endings = [ending for ending in FILLERS if word.endswith(ending) and word != ending]
    stems = (word, *(word.removesuffix(ending) for ending in endings))  # trainset
    return next((WORDS[stem] for stem in stems if stem in WORDS), None)
