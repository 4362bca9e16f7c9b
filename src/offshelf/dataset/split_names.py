"""Names that people give to the parts of a split: `train`, `Training`, `test_set`, `val2017`."""

import re
import unicodedata
from functools import lru_cache
from typing import Literal

Part = Literal["train", "val", "test"]

WORDS: dict[str, Part] = {
    **dict.fromkeys(("train", "training", "trn", "trainval"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "validate", "vali", "dev", "development"), "val"),
    **dict.fromkeys(("test", "testing", "tst", "tests", "eval", "evaluation", "holdout"), "test"),
}
FILLERS = ("set", "sets", "data", "dataset", "images", "image", "imgs", "img", "split", "part", "partition", "samples")
"""Words beside that change nothing."""


ALIKE = "case, accents, spaces or zeros"
"""In what names differ that are the same `as_read`."""


@lru_cache(maxsize=1024)
def part_of(name: str) -> Part | None:
    """The part that a name stands for, in any case, with numbers and fillers; None where it has other words too."""
    parts, others = _words(name)
    if set(parts) == {"train", "val"}:
        parts = ["train"]
    return parts[0] if len(parts) == 1 and not others else None


def part_among(name: str) -> tuple[Part, tuple[str, ...]] | None:
    """The part that one word of a name stands for, and its other words: `seg_train`. None where there is none."""
    parts, others = _words(name)
    return (parts[0], others) if len(parts) == 1 else None


def folded(name: str) -> str:
    """A name with no regard to case, or to how accents are stored."""
    return unicodedata.normalize("NFC", name).casefold()


def as_read(name: str) -> str:
    """A name as people read it, whatever its case, accents, spaces, unseen letters or leading zeros."""
    seen = "".join(letter for letter in unicodedata.normalize("NFKC", name) if unicodedata.category(letter) != "Cf")
    number = re.fullmatch(r"\s*([+-]?)0*(\d+)(?:\.0*)?\s*", seen, re.ASCII)
    if number:
        return number[1].replace("+", "") + number[2]
    return re.sub(r"[\s_]+", " ", seen).strip().casefold()


def told_apart(name: str) -> str:
    """A name as it is shown beside one that reads alike: in quotes where it has odd spaces or unseen letters."""
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
