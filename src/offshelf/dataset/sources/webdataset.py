"""Data sets in tar files, as the library `webdataset` writes and reads them."""

import json
import re
from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from typing_extensions import override

from offshelf.dataset.groups import GroupRule, Groups
from offshelf.dataset.imageset import LeftOut
from offshelf.dataset.kind import SUFFIXES as IMAGES
from offshelf.dataset.location import Names
from offshelf.dataset.sources.labels import Column, Encoder, Labels, Rule
from offshelf.dataset.sources.members import Members
from offshelf.dataset.sources.parquet import name_of
from offshelf.dataset.sources.parts import Parts
from offshelf.dataset.sources.sharded import Rows, Sharded
from offshelf.dataset.sources.shards import Shard, Where, find_shards
from offshelf.dataset.sources.table_file import LABEL_ROWS
from offshelf.dataset.sources.tar_index import Coded, Member, Places, Sample, read_samples, read_text
from offshelf.dataset.table import SYNONYMS
from offshelf.dataset.walk import NO_SAMPLE
from offshelf.errors import DatasetError
from offshelf.names import listed

AUTO = "auto"
LABELS = ("cls", "txt", "json")
"""Extensions of members that hold labels, the surest first."""
SUFFIXES = (".tar",)
PROBED = 1000
"""Number of samples by which members are chosen."""


@dataclass(frozen=True)
class WebDataset(Sharded):
    """Samples in tar files: an image `KEY.jpg` (or another format), and its label in `KEY.cls`, `.txt` or `.json`.

    A key ends at the first dot of the base name. An image is named by its tar and member, `train-000.tar/0001.jpg`.
    """

    path: Where = field(hash=False)
    """A file, a folder, a pattern such as `train-{000..009}.tar`, a list, or these by part: `{train: …, test: …}`."""
    image: str = AUTO
    """Extension of the image of a sample, such as `left.jpg`; `auto`: its only image."""
    label: str = AUTO
    """Extension of the label of a sample; `auto`: cls, else txt or json."""
    key: str | None = None
    """Key of the label in a JSON object, `a.b` for one within another; None: found if only one can be meant."""
    group: str | None = None
    """Which images are on one side of a split: those with one value of this key of the sample's member `.json`; with
    brackets a regular expression, and what these find in the sample's key."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.group is not None:
            GroupRule(self.group)

    @override
    def rows(self) -> Rows:
        shards = find_shards(self.path, SUFFIXES)
        index = _Index(self, shards)
        for number, shard in enumerate(shards):
            for sample in read_samples(shard.path):
                index.add(number, sample)
        return index.rows(name_of(self.path, shards[0].path))


class _Index:
    """Finds images and labels, sample by sample."""

    def __init__(self, settings: WebDataset, shards: Sequence[Shard]) -> None:
        self.settings, self.shards = settings, shards
        self.label, self.key = settings.label, settings.key
        self.images, self.names, self.of_shard = Places(), Names(()), array("i")
        self.values, self.grouped = Coded(), Coded()
        self.left_out: list[LeftOut] = []
        self.why: Counter[str] = Counter()

    def add(self, number: int, sample: Sample) -> None:
        """Take a sample, or note why not. Raises DatasetError if it is not clear what is meant."""
        shard = self.shards[number]
        image = self._image(shard, sample)
        if image is None:
            return self._leave(shard, sample, "no image")
        label = self._label(shard, sample)
        if label is None:
            return self._leave(shard, sample, f"no member .{self.label}" if self.label != AUTO else "no label")
        self.images.add(image)
        self.of_shard.append(number)
        self.names.append(image.name)
        self.values.append(self._value(shard, label))
        if self.settings.group is not None:
            self.grouped.append(self._group(shard, sample, self.settings.group))
        return None

    def _leave(self, shard: Shard, sample: Sample, why: str) -> None:
        self.left_out.append(LeftOut(f"{shard.name}/{sample.key}", NO_SAMPLE, why))

    def _image(self, shard: Shard, sample: Sample) -> Member | None:
        wanted = self.settings.image
        if wanted != AUTO:
            return sample.members.get(wanted.lower())
        found = [extension for extension in sample.members if f".{extension.rpartition('.')[2]}" in IMAGES]
        if len(found) > 1:
            raise DatasetError(
                f"{shard.path}: the sample {sample.key} has {len(found)} images (a key ends at the first dot of a "
                f"name): {', '.join(found)}. Choose one: dataset.image={found[0]}"
            )
        return sample.members[found[0]] if found else None

    def _label(self, shard: Shard, sample: Sample) -> Member | None:
        if self.label == AUTO:
            found = [extension for extension in LABELS if extension in sample.members]
            if not found:
                return None
            if len(found) > 1 and found[0] != "cls":
                raise DatasetError(
                    f"{shard.path}: the sample {sample.key} has labels in {' and '.join(found)}. Choose one: "
                    f"dataset.label={found[0]}"
                )
            self.label = found[0]
        return sample.members.get(self.label.lower())

    def _value(self, shard: Shard, member: Member) -> Any:
        if not self.label.endswith("json"):
            return read_text(shard.path, member)
        found = self._json(shard, member)
        if self.key is None and isinstance(found, dict):
            self.key = _only_key(f"{shard.path}: {member.name}", found)
        return _at(f"{shard.path}: {member.name}", found, self.key)

    @staticmethod
    def _json(shard: Shard, member: Member) -> Any:
        try:
            return json.loads(read_text(shard.path, member))
        except ValueError as error:
            raise DatasetError(f"{shard.path}: {member.name} is not JSON ({error}).") from error

    def _group(self, shard: Shard, sample: Sample, rule: str) -> str:
        """Return the name of a sample's group. Raises DatasetError if it has none."""
        if "(" in rule:
            found = re.search(rule, sample.key)
            return "/".join(part or "" for part in found.groups()) if found else _lacking(shard, sample, rule)
        member = sample.members.get("json")
        about = self._json(shard, member) if member else None
        value = _at(f"{shard.path}: {member.name}", about, rule, "dataset.group") if member else None
        return _lacking(shard, sample, rule) if value in (None, "") else str(value)

    def rows(self, name: str) -> Rows:
        """Return all samples. Raises DatasetError if there are none."""
        if not len(self.names):
            why = ", ".join(f"{one.id} ({one.why})" for one in self.left_out[:3]) or "the files are empty"
            raise DatasetError(f"{name} has no samples of an image and a label: {why}.")
        shards_N = np.frombuffer(self.of_shard, np.int32)
        offsets_N, sizes_N = (np.frombuffer(one, np.int64) for one in (self.images.offsets, self.images.lengths))
        titles = [shard.name for shard in self.shards]
        paths: list[Path] = [shard.path for shard in self.shards]
        members = Members(paths, titles, shards_N, offsets_N, sizes_N, self.names)
        words = {word: row for row, word in enumerate(dict.fromkeys(shard.part for shard in self.shards if shard.part))}
        part_S = np.array([words.get(shard.part, -1) for shard in self.shards], np.int16)
        where = f"{self.label}{f', key {self.key}' if self.key else ''}"
        is_guessed = self.settings.label == AUTO or (self.key and self.settings.key is None)
        notes = (f"Labels are those of {where} (dataset.label, dataset.key).",) if is_guessed else ()
        parts = Parts(tuple(words), part_S[shards_N])
        return Rows(name, members, parts, self._labels(name), notes, self.left_out, self._groups())

    def _groups(self) -> Groups | None:
        if self.settings.group is None:
            return None
        return Groups.of_codes(self.grouped.numbers(), self.grouped.values, self.settings.group)

    def _labels(self, name: str) -> Any:
        def labels(is_used_N: np.ndarray) -> Labels:
            import pyarrow

            encoder = Encoder(Rule(self.key or self.label, self.settings.target, self.settings.separator))
            codes_M = self.values.numbers()[is_used_N]
            kinds, place = np.unique(codes_M), np.zeros(len(self.values.values), np.int64)
            place[kinds] = np.arange(len(kinds))
            used = [self.values.values[code] for code in kinds]
            try:
                values = pyarrow.array(_integers(used) if self.label == "cls" else used)
            except pyarrow.ArrowException as error:
                raise DatasetError(f"{name}: labels of '{self.key}' are of several types ({error}).") from error
            for start in range(0, len(codes_M), LABEL_ROWS):
                rows_B = np.arange(start, min(start + LABEL_ROWS, len(codes_M)))
                encoder.add(Column(name, values.take(pyarrow.array(place[codes_M[rows_B]])), None, rows_B))
            return encoder.labels(name)

        return labels


def _integers(texts: Sequence[str]) -> Sequence[Any]:
    """Return class numbers as integers, if all are; texts as they are else."""
    return [int(text) for text in texts] if all(text.isascii() and text.isdecimal() for text in texts) else texts


def _only_key(where: str, found: dict[str, Any]) -> str:
    words = {"label", "cls", *SYNONYMS["label"]}
    keys = [key for key in found if key.casefold() in words]
    keys = [key for key in keys if key.casefold() == "label"] or keys
    if len(keys) != 1:
        raise DatasetError(
            f"{where} has {len(keys) or 'no'} keys that may be the label; its keys: {listed(found)}. Choose one: "
            f"dataset.key={next(iter(found), 'NAME')}"
        )
    return keys[0]


def _lacking(shard: Shard, sample: Sample, rule: str) -> NoReturn:
    raise DatasetError(
        f"{shard.path}: the sample {sample.key} has no group (dataset.group={rule}). Each image needs a group: a key "
        "of its member .json or, with brackets, what a regular expression finds in its key."
    )


def _at(where: str, found: Any, key: str | None, setting: str = "dataset.key") -> Any:
    """Return the value of a key, which may have dots. Raises DatasetError if there is none."""
    if key is None:
        return found
    if isinstance(found, dict) and key in found:
        return found[key]
    for word in key.split("."):
        if not isinstance(found, dict) or word not in found:
            raise DatasetError(f"{where} has no key '{key}' ({setting}).")
        found = found[word]
    return found
