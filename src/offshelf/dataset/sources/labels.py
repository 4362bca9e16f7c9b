"""Labels of tables as targets: names and numbers of classes, lists of them, numbers to predict."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from offshelf.dataset.numbers import number_in
from offshelf.dataset.sources.label_types import is_list_type, refuse_hot, require_classes
from offshelf.dataset.split_names import ALIKE, as_read, told_apart
from offshelf.errors import DatasetError
from offshelf.names import listed

if TYPE_CHECKING:
    import pyarrow

AUTO_SEPARATOR = "auto"
SEPARATORS = ("|", ";")
"""Characters that separate labels in other people's cells."""
UNLABELLED = -1
"""The class number of an unlabelled row, as the library `datasets` writes it."""
MOST_CLASSES = 100_000
"""More are no classes, but names of images, say."""

Kind = Literal["class", "labels", "number"]


@dataclass(frozen=True, eq=False)
class Labels:
    """The targets of rows: int32 [N]; of several labels int8 [N, K]; numbers float64 [N]."""

    classes: tuple[str, ...]
    targets_N: np.ndarray
    is_known_N: np.ndarray
    """False for rows without a label."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Column:
    """Labels of some rows as a table has them."""

    where: str
    """Name of the file, for messages."""
    values: "pyarrow.Array"
    names: tuple[str, ...] | None = None
    """Names of class numbers, if the file declares them."""
    rows_N: np.ndarray | None = None
    """Numbers of the rows within the file; None: from 0 on."""

    def row(self, number: int) -> int:
        """Return the number within the file of one of these rows."""
        return number if self.rows_N is None else int(self.rows_N[number])


@dataclass(frozen=True)
class Rule:
    """How labels are read."""

    column: str
    target: str = "class"
    separator: str | None = AUTO_SEPARATOR
    """Separator of several labels in a cell; None: a cell is one label; `auto`: so too, but several are asked about."""


class Encoder:
    """Encodes columns of labels one after the other, in bounded memory beside the targets."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self._number: dict[str, int] = {}
        self._order: list[str] = []
        self._are_declared = False
        self._are_integers = False
        self._kind: Kind | None = None
        self._codes: list[np.ndarray] = []
        self._lengths: list[np.ndarray] = []

    def add(self, column: Column) -> None:
        """Encode the labels of more rows. Raises DatasetError."""
        import pyarrow

        values = column.values
        if pyarrow.types.is_dictionary(values.type):
            values = values.cast(values.type.value_type)
        is_list = is_list_type(values.type)
        kind: Kind = "number" if self.rule.target == "number" else "labels" if is_list or self._separator else "class"
        if self._kind not in (None, kind):
            raise DatasetError(
                f"{column.where}: '{self.rule.column}' holds {_words(kind)}, and other files {_words(self._kind)}."
            )
        self._kind = kind
        if kind == "number":
            self._codes.append(self._numbers(column, values))
        elif is_list:
            self._add_lists(column, values)
        elif kind == "labels":
            self._add_cells(column, values)
        else:
            self._codes.append(self._encode(column, values, self._where(column)))

    @property
    def _separator(self) -> str | None:
        return None if self.rule.separator == AUTO_SEPARATOR else self.rule.separator

    def labels(self, name: str) -> Labels:
        """Return the labels of all rows that were added. Raises DatasetError if they are too few or not clear."""
        codes = np.concatenate(self._codes) if self._codes else np.zeros(0, np.int32)
        if self._kind == "number":
            return self._all_numbers(name, codes)
        used = np.unique(codes[codes >= 0])
        ordered = sorted(used.tolist(), key=self._key)
        names = tuple(self._order[code] for code in ordered)
        if len(names) < 2:
            raise DatasetError(f"{name} needs two or more classes; '{self.rule.column}' has {len(names)}.")
        self._question_separator(name, names)
        place = np.full(len(self._order) + 1, -1, np.int32)
        place[np.array(ordered)] = np.arange(len(ordered), dtype=np.int32)
        targets = place[codes]
        notes = self._notes(names)
        if self._kind == "labels":
            many = self._matrix(targets, len(names))
            return Labels(names, many, np.ones(len(many), bool), notes)
        return Labels(names, targets, targets >= 0, notes)

    def _key(self, code: int) -> Any:
        if self._are_declared:
            return code
        name = self._order[code]
        return int(name) if self._are_integers else name

    def _notes(self, names: Sequence[str]) -> tuple[str, ...]:
        unused = [one for one in self._order if one not in set(names)] if self._are_declared else []
        notes = [f"{len(unused)} declared class(es) have no image: {listed(unused)}."] if unused else []
        alike: dict[str, list[str]] = {}
        for one in names:
            alike.setdefault(as_read(one), []).append(one)
        twins = [" and ".join(map(told_apart, several)) for several in alike.values() if len(several) > 1]
        notes += [f"Labels that differ only in {ALIKE} are separate classes: {listed(twins)}."] if twins else []
        return tuple(notes)

    def _question_separator(self, name: str, names: Sequence[str]) -> None:
        """Raise DatasetError if labels look like several in a cell: `cat|dog` beside `cat` and `dog`."""
        if self.rule.separator != AUTO_SEPARATOR or self._kind != "class" or self._are_declared:
            return
        for sign in SEPARATORS:
            joined = [one for one in names if sign in one]
            pieces = [{piece.strip() for piece in one.split(sign)} for one in joined]
            others = {one for one in names if sign not in one}
            again = [
                mine & (others | set().union(*pieces[:row], *pieces[row + 1 :]))
                for row, mine in enumerate(pieces[:100])
            ]
            if any(again):
                raise DatasetError(
                    f"{name}: labels such as '{joined[0]}' look like several in one cell. Are they? "
                    f"dataset.separator='{sign}'; if each is one class: dataset.separator=null"
                )

    def _matrix(self, targets: np.ndarray, classes: int) -> np.ndarray:
        lengths = np.concatenate(self._lengths)
        many = np.full((len(lengths), classes), -1, np.int8)
        many[np.repeat(np.arange(len(lengths)), lengths), targets] = 1
        return many

    def _all_numbers(self, name: str, numbers: np.ndarray) -> Labels:
        known = np.isfinite(numbers)
        if len(np.unique(numbers[known])) < 2:
            raise DatasetError(f"{name} needs two or more different numbers in '{self.rule.column}'.")
        return Labels((self.rule.column,), numbers, known)

    def _numbers(self, column: Column, values: "pyarrow.Array") -> np.ndarray:
        numbers = [None if value is None else number_in(value) for value in values.to_pylist()]
        odd = [
            row
            for row, (one, value) in enumerate(zip(numbers, values.to_pylist(), strict=True))
            if one is None and value is not None
        ]
        if odd:
            raise DatasetError(
                f"{column.where}, row {column.row(odd[0])}: with dataset.target=number '{self.rule.column}' holds "
                f"finite numbers; got {values[odd[0]].as_py()!r}."
            )
        return np.array([np.nan if one is None else one for one in numbers], np.float64)

    def _add_lists(self, column: Column, values: "pyarrow.Array") -> None:
        import pyarrow.compute as pc

        if values.null_count:
            raise DatasetError(
                f"{column.where}: '{self.rule.column}' has no list in some rows; an empty list means no label."
            )
        lengths = np.asarray(pc.list_value_length(values))
        inner = values.flatten()
        refuse_hot(self._where(column), values, inner, column.names)
        codes = self._encode(column, inner, f"a list of {self._where(column)}")
        if (codes < 0).any():
            raise DatasetError(f"{column.where}: lists in '{self.rule.column}' have missing labels.")
        self._lengths.append(lengths.astype(np.int64))
        self._codes.append(codes)

    def _add_cells(self, column: Column, values: "pyarrow.Array") -> None:
        import pyarrow

        cells = [_split("" if cell is None else str(cell), str(self._separator)) for cell in values.to_pylist()]
        flat = pyarrow.array([label for cell in cells for label in cell], pyarrow.string())
        self._lengths.append(np.array([len(cell) for cell in cells], np.int64))
        self._codes.append(self._encode(column, flat, self._where(column)))

    def _where(self, column: Column) -> str:
        return f"{column.where}: '{self.rule.column}'"

    def _encode(self, column: Column, values: "pyarrow.Array", where: str) -> np.ndarray:
        """Return numbers of names in the order of their first occurrence, int32 [n]; -1 for missing ones."""
        import pyarrow
        import pyarrow.compute as pc

        coded = pc.dictionary_encode(values)
        if isinstance(coded, pyarrow.ChunkedArray):
            coded = coded.combine_chunks()
        found = coded.dictionary.to_pylist()
        codes = np.asarray(coded.indices.fill_null(-1)).astype(np.int32)
        if pyarrow.types.is_integer(values.type):
            self._require_alike(column, where)
            if column.names is not None:
                return self._declared(column, found, codes)
        require_classes(where, values.type, found)
        is_integer = pyarrow.types.is_integer(values.type)
        if self._codes and self._are_integers != is_integer and not self._are_declared:
            raise DatasetError(f"{where} holds {values.type}, and other files another type.")
        self._are_integers = is_integer
        names = [_name(value) for value in found]
        return self._numbered(names, codes)

    def _require_alike(self, column: Column, where: str) -> None:
        """Raise DatasetError if some files declare names of class numbers, and others do not."""
        if self._codes and (column.names is not None) != self._are_declared:
            lacks = (
                "has no names for its class numbers, and others"
                if self._are_declared
                else "names its class numbers, and others do not"
            )
            raise DatasetError(
                f"{where} {lacks}{' do' if self._are_declared else ''}; the same number would be two classes."
            )

    def _declared(self, column: Column, found: Sequence[int], codes: np.ndarray) -> np.ndarray:
        names = column.names or ()
        odd = [number for number in found if not UNLABELLED <= number < len(names)]
        if odd:
            row = column.row(int(np.flatnonzero(codes == list(found).index(odd[0]))[0]))
            raise DatasetError(
                f"{column.where}, row {row}: label {odd[0]} in '{self.rule.column}', but its classes are numbered "
                f"from 0 to {len(names) - 1}."
            )
        self._are_declared = True
        for name in names:
            self._learn(name)
        return self._numbered([None if number == UNLABELLED else names[number] for number in found], codes)

    def _numbered(self, names: Iterable[str | None], codes: np.ndarray) -> np.ndarray:
        place = np.array([*(-1 if name is None or name == "" else self._learn(name) for name in names), -1], np.int32)
        if len(self._order) > MOST_CLASSES:
            raise DatasetError(
                f"'{self.rule.column}' has over {MOST_CLASSES:,} different labels, which are no classes."
            )
        return place[codes]

    def _learn(self, name: str) -> int:
        number = self._number.setdefault(name, len(self._order))
        if number == len(self._order):
            self._order.append(name)
        return number


def _name(value: Any) -> str | None:
    return None if value is None else str(value).strip() if isinstance(value, str) else str(value)


def _split(cell: str, separator: str) -> list[str]:
    return list(dict.fromkeys(piece.strip() for piece in cell.split(separator) if piece.strip()))


def _words(kind: Kind | None) -> str:
    return {"class": "one label per image", "labels": "lists of labels", "number": "numbers"}[kind or "class"]
