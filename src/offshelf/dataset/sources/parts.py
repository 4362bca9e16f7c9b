"""Which rows are trained on and which are tested on, by the names of their parts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from offshelf.dataset.split_names import Part, Split, part_of
from offshelf.errors import DatasetError
from offshelf.names import listed

Role = Literal["train", "test", "ignore"]


@dataclass(frozen=True, eq=False)
class Parts:
    """The part of each row, by number: int16 [N], -1 where none is known."""

    names: tuple[str, ...]
    rows_N: np.ndarray

    @property
    def counts(self) -> dict[str, int]:
        """Number of rows of each part."""
        found = np.bincount(self.rows_N[self.rows_N >= 0], minlength=len(self.names)).tolist()
        return dict(zip(self.names, found, strict=True))


@dataclass(frozen=True)
class Roles:
    """The use of each part by name; empty if there is no split."""

    of: Mapping[str, Role]
    notes: tuple[str, ...] = ()


def choose_roles(name: str, parts: Parts, split: Split, val: str | None) -> Roles:
    """Choose what is trained on and tested on.

    Raises:
        DatasetError: Names of parts are not clear; the message asks.
    """
    known = [part for part, count in parts.counts.items() if count]
    if isinstance(split, Mapping):
        return _given(name, known, split)
    if split == "none" or not known:
        return Roles({})
    if (parts.rows_N < 0).any():
        raise DatasetError(
            f"{name}: {int((parts.rows_N < 0).sum()):,} images have no part of a split, others are of "
            f"{listed(known)}. {_choices(known)}"
        )
    if len(known) == 1:
        return Roles({}, (f"All images are of '{known[0]}'; a test part is drawn from them.",))
    meant = {part: part_of(part) for part in known}
    by_meaning: dict[Part | None, list[str]] = {}
    for part, meaning in meant.items():
        by_meaning.setdefault(meaning, []).append(part)
    if None in by_meaning or "train" not in by_meaning or any(len(several) > 1 for several in by_meaning.values()):
        raise DatasetError(f"{name} has the parts {', '.join(known)}, which are not clearly a split. {_choices(known)}")
    return _with_val(name, {meaning: several[0] for meaning, several in by_meaning.items() if meaning}, val)


def _with_val(name: str, part: Mapping[Part, str], val: str | None) -> Roles:
    if "val" not in part:
        return Roles({part["train"]: "train", part["test"]: "test"})
    if "test" not in part:
        if val in ("train", "ignore"):
            raise DatasetError(f"{name} has no part to test on except {part['val']}; dataset.val={val} leaves none.")
        return Roles({part["train"]: "train", part["val"]: "test"}, (f"'{part['val']}' is tested on: no test part.",))
    use: Role = "ignore" if val == "ignore" else "test" if val == "test" else "train"
    roles: dict[str, Role] = {part["train"]: "train", part["val"]: use, part["test"]: "test"}
    if use == "test":
        return Roles(
            roles | {part["test"]: "ignore"}, (f"'{part['val']}' is tested on, '{part['test']}' is not read.",)
        )
    choice = "" if val else " (dataset.val=train; ignore and test are the others)"
    return Roles(
        roles, (f"'{part['val']}' is trained on too{choice}." if use == "train" else f"'{part['val']}' is not read.",)
    )


def _given(name: str, known: Sequence[str], split: Mapping[str, str | Sequence[str]]) -> Roles:
    wanted = {role: [words] if isinstance(words, str) else list(words) for role, words in split.items()}
    unknown = [word for words in wanted.values() for word in words if word not in known]
    if unknown:
        raise DatasetError(
            f"dataset.split names {listed(unknown)}, but the parts of {name} are: {', '.join(known) or 'none'}."
        )
    both = set(wanted["train"]) & set(wanted["test"])
    if both or not wanted["train"] or not wanted["test"]:
        raise DatasetError(f"dataset.split needs different parts to train and to test on; got {dict(wanted)}.")
    roles: dict[str, Role] = {}
    for part in known:
        roles[part] = "train" if part in wanted["train"] else "test" if part in wanted["test"] else "ignore"
    unread = [part for part, role in roles.items() if role == "ignore"]
    return Roles(roles, (f"Not read: {', '.join(unread)} (dataset.split).",) if unread else ())


def _choices(known: Sequence[str]) -> str:
    """Return the settings that answer the question."""
    pair = [*known, "NAME"][:2]
    return f"Choose: 'dataset.split={{train: {pair[0]}, test: {pair[1]}}}'; or draw a test part: dataset.split=none"
