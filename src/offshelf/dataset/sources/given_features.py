"""Data sets of features that others have extracted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from typing_extensions import override

from offshelf.dataset.image import Image
from offshelf.dataset.imageset import Dataset, ImageSet, LeftOut, Sample
from offshelf.dataset.sources.feature_files import READERS, Arrays, read_arrays, text_lines
from offshelf.dataset.sources.labels import Column, Encoder, Labels, Rule
from offshelf.dataset.sources.parquet import name_of
from offshelf.dataset.sources.parts import Parts, choose_roles
from offshelf.dataset.sources.sharded import Labelling, masks
from offshelf.dataset.sources.shards import Shard, Where, find_shards
from offshelf.dataset.table import SYNONYMS
from offshelf.errors import ConfigError, DatasetError, ImageError
from offshelf.identity import array_digest
from offshelf.names import listed

AUTO = "auto"
KEYS = ("features", "label", "split")
NAMES = {
    "features": (
        "features",
        "feature",
        "x",
        "fts",
        "feats",
        "feat",
        "fea",
        "embeddings",
        "embedding",
        "vectors",
        "data",
    ),
    "label": ("label", "gnd", "gt", *SYNONYMS["label"]),
    "split": ("split", "subset", "partition"),
}
"""Names of arrays in other people's files, in any case."""


@dataclass(frozen=True, eq=False)
class Vector(Image):
    """The features of an image that is not there."""

    name: str
    values: np.ndarray
    """float32 [D]."""

    def __str__(self) -> str:
        return self.name

    @cached_property
    @override
    def digest(self) -> str:
        return array_digest(self.values)

    @override
    def load(self) -> np.ndarray:
        raise ImageError(f"{self.name} is a vector of features, whose image is not known.")


@dataclass(frozen=True, eq=False)
class Block:
    """The features of a file, float32 [N, D], their labels, and the part of each row, if there is a split."""

    shard: Shard
    features: np.ndarray
    labels: np.ndarray
    parts: Sequence[str]


@dataclass(frozen=True)
class GivenFeatures(Dataset, Labelling):
    """Features in files of NumPy (.npy, .npz), MATLAB (.mat) or tables (.parquet, .feather), with labels and splits.

    A row is named by its file and number, `surf.mat:17`.
    """

    path: Where = field(hash=False)
    """A file, a folder, a pattern, a list of these, or these by part: `{train: …, test: …}`."""
    arrays: Mapping[str, str | None] = field(default_factory=dict, hash=False)
    """Names of the arrays or columns `features`, `label` and `split`; `auto` (the default): found if only one can be
    meant; a split of null is not read."""
    labels: str | None = None
    """A file of labels, .npy or a text with a label in each line, for features without; None: they are beside them."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, theirs in self.arrays.items():
            if name not in KEYS or (theirs is None and name != "split"):
                raise ConfigError(
                    f"dataset.arrays has names for {', '.join(KEYS)}, null for a split alone; got {name}: {theirs}."
                )

    @override
    def load(self) -> ImageSet:
        """Load the features. Raises DatasetError if files are missing or damaged, or what they hold is not clear."""
        return self.split_up(self.unsplit())

    def unsplit(self) -> ImageSet:
        """Load the features without drawing folds; a set's own split still is its fold."""
        return self._images

    def vectors(self) -> Mapping[str, np.ndarray]:
        """Return the features by digest, float32 [D]. Raises DatasetError."""
        return {sample.image.digest: sample.image.values for sample in self._images.samples}  # type: ignore[attr-defined]

    @cached_property
    def _images(self) -> ImageSet:
        shards = find_shards(self.path, tuple(READERS))
        blocks = [self._block(shard) for shard in shards]
        name = name_of(self.path, shards[0].path)
        _require_one_width(blocks)
        words = dict.fromkeys(part for block in blocks for part in block.parts if part)
        number = {word: row for row, word in enumerate(words)}
        parts = Parts(
            tuple(words), np.array([number.get(part, -1) for block in blocks for part in block.parts], np.int16)
        )
        roles = choose_roles(name, parts, self.split, self.val)
        is_used, is_test = masks(parts, roles)
        labels = self._encode(name, blocks, is_used)
        used = np.flatnonzero(is_used)
        ids = [f"{block.shard.name}:{row}" for block in blocks for row in range(len(block.features))]
        left_out = self.known(name, labels, lambda row: ids[int(used[row])], is_test[used])
        kept = used[labels.is_known_N]
        rows = np.concatenate([block.features for block in blocks])
        samples = [
            Sample(ids[row], Vector(ids[row], rows[row]), tuple(target) if isinstance(target, list) else target)
            for row, target in zip(kept.tolist(), labels.targets_N[labels.is_known_N].tolist(), strict=True)
        ]
        images = self._set(name, samples, labels, roles.notes, left_out)
        return replace(images, folds=self.fold(images, is_test[kept]) if roles.of else ())

    @staticmethod
    def _set(
        name: str, samples: list[Sample], labels: Labels, notes: Sequence[str], left_out: Sequence[LeftOut]
    ) -> ImageSet:
        metric = (
            "r2" if labels.targets_N.dtype.kind == "f" else "accuracy" if labels.targets_N.ndim == 1 else "mAP_sklearn"
        )
        width = len(samples[0].image.values) if samples else 0  # type: ignore[attr-defined]
        about = f"Features are given, {width:,} numbers each: no image is read, no network is used."
        return ImageSet(name, labels.classes, samples, (), metric, (about, *notes, *labels.notes), left_out)

    def _block(self, shard: Shard) -> Block:
        arrays = read_arrays(shard.path)
        key = self._key(
            shard, arrays, "features", lambda one: one.ndim == 2 and one.dtype.kind in "fiu" and min(one.shape) > 1
        )
        features = _checked(f"{shard.path}: '{key}'", arrays[str(key)])
        rest = {name: one for name, one in arrays.items() if name != key}
        count = len(features)
        labels = self._labels_of(shard, rest, count, features.shape[1])
        split = self._split_of(shard, rest, count)
        parts = [shard.part] * count if split is None else [str(one).strip() for one in split.ravel().tolist()]
        return Block(shard, features, labels, parts)

    def _labels_of(self, shard: Shard, arrays: Arrays, count: int, width: int) -> np.ndarray:
        if self.labels:
            path = Path(self.labels).expanduser().absolute()
            found, key = (read_arrays(path)["features"] if path.suffix == ".npy" else text_lines(path)), str(path)
        else:
            key = str(
                self._key(shard, arrays, "label", lambda one: one.ndim > 0 and max(one.shape) == one.size == count)
            )
            found = arrays[key]
        flat = found.ravel() if max(found.shape, default=0) == found.size else found
        if len(flat) != count:
            hint = "; features have a row for each image: transpose them" if len(flat) == width else ""
            raise DatasetError(
                f"{shard.path} has {count:,} rows of features and {len(flat):,} labels in '{key}'{hint}."
            )
        return flat

    def _split_of(self, shard: Shard, arrays: Arrays, count: int) -> np.ndarray | None:
        wanted = self.arrays.get("split", AUTO)
        if wanted is None:
            return None
        if wanted != AUTO:
            return arrays[_named(shard, arrays, "split", wanted)]
        found = [name for name in arrays if name.casefold() in NAMES["split"]]
        return arrays[found[0]] if len(found) == 1 and arrays[found[0]].size == count else None

    def _key(self, shard: Shard, arrays: Arrays, key: str, fits: Any) -> str:
        wanted = self.arrays.get(key, AUTO)
        if wanted is not None and wanted != AUTO:
            return _named(shard, arrays, key, wanted)
        named = [name for name in arrays if name.casefold() in NAMES[key]]
        found = named if len(named) == 1 else [name for name, one in arrays.items() if fits(one)]
        if len(found) == 1:
            return found[0]
        way = "; or a file of labels: dataset.labels=FILE" if key == "label" else ""
        raise DatasetError(
            f"{shard.path} has {len(found) or 'no'} arrays that may be the {key}{'' if key == 'features' else 's'}: "
            f"{listed(found or arrays) or 'it has no others'}. Choose one: dataset.arrays.{key}=NAME{way}"
        )

    def _encode(self, name: str, blocks: Sequence[Block], is_used_N: np.ndarray) -> Labels:
        encoder = Encoder(Rule(str(self.arrays.get("label") or "label"), self.target, self.separator))
        start = 0
        for block in blocks:
            used = np.flatnonzero(is_used_N[start : start + len(block.labels)])
            start += len(block.labels)
            if len(used):
                encoder.add(Column(str(block.shard.path), _arrow(name, block.labels[used], self.target), None, used))
        return encoder.labels(name)


def _named(shard: Shard, arrays: Arrays, key: str, name: str) -> str:
    if name in arrays:
        return name
    raise DatasetError(f"{shard.path} has no array '{name}' (dataset.arrays.{key}); it has: {listed(arrays)}.")


def _checked(where: str, values: np.ndarray) -> np.ndarray:
    """Return features as float32 [N, D]. Raises DatasetError for anything but finite numbers."""
    if values.ndim != 2 or values.dtype.kind not in "fiub" or not values.size:
        raise DatasetError(
            f"{where}: features are numbers, a row for each image; got {values.dtype} {list(values.shape)}."
        )
    with np.errstate(over="ignore"):
        made = np.ascontiguousarray(values, np.float32)
    odd = np.flatnonzero(~np.isfinite(made).all(axis=1))
    if len(odd):
        raise DatasetError(f"{where}: {len(odd):,} rows have numbers that are not finite, such as row {odd[0]}.")
    return made


def _require_one_width(blocks: Sequence[Block]) -> None:
    first = blocks[0]
    for block in blocks:
        if block.features.shape[1] != first.features.shape[1]:
            raise DatasetError(
                f"{block.shard.path} has features of {block.features.shape[1]:,} numbers, {first.shard.path} of "
                f"{first.features.shape[1]:,}."
            )


def _arrow(name: str, labels: np.ndarray, target: str) -> Any:
    """Return labels as an Arrow array: MATLAB's whole numbers as integers, rows of zeros and ones as lists."""
    import pyarrow

    if labels.ndim == 2:
        if not np.isin(labels, (0, 1)).all():
            raise DatasetError(f"{name}: labels in a matrix are a zero or one for each class; others are found.")
        return pyarrow.array([[f"{number}" for number in np.flatnonzero(row)] for row in labels])
    is_whole = labels.dtype.kind == "f" and target == "class" and bool((labels == np.rint(labels)).all())
    values = labels.astype(np.int64) if is_whole else labels
    try:
        return pyarrow.array(values.tolist())
    except pyarrow.ArrowException as error:
        raise DatasetError(f"{name}: labels are of several types ({error}).") from error
