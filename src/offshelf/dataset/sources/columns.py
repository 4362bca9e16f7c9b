"""The columns of images, labels and splits of a table: as set, declared, or guessed where only one can be meant."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from offshelf.dataset.sources.declared import Declared
from offshelf.dataset.sources.label_types import is_text_type
from offshelf.dataset.table import SYNONYMS
from offshelf.errors import ConfigError, DatasetError
from offshelf.names import listed

AUTO = "auto"
KEYS = ("image", "label", "split")
SPLITS = ("split", "subset", "partition")
"""Names of columns that say which part a row is of."""


@dataclass(frozen=True)
class Columns:
    """Names of the columns that are read."""

    image: str
    label: str
    split: str | None
    holds_paths: bool
    """Whether the images are files, whose paths the column has."""
    guessed: tuple[str, ...] = ()
    """Which of them nobody has named."""

    @property
    def note(self) -> str:
        """A sentence on what was guessed; empty if nothing was."""
        found = [f"{key} '{getattr(self, key)}'" for key in self.guessed]
        return f"Columns: {', '.join(found)} (dataset.columns)." if found else ""


def require_keys(columns: Mapping[str, str | None]) -> None:
    """Raise ConfigError for an invalid choice of columns."""
    for name, theirs in columns.items():
        if name not in KEYS:
            raise ConfigError(f"dataset.columns has no key '{name}'. There are: {', '.join(KEYS)}.")
        if theirs is None and name != "split":
            raise ConfigError(f"dataset.columns.{name} must be auto or a column's name, not null.")


def find_columns(where: str, schema: Any, declared: Declared, wanted: Mapping[str, str | None]) -> Columns:
    """Find the columns.

    Raises:
        DatasetError: One is missing, or several can be meant; the message names them.
    """
    guessed = []
    found: dict[str, str | None] = {}
    ways: dict[str, Callable[[], str | None]] = {
        "image": lambda: _image(where, schema, declared),
        "label": lambda: _label(where, schema, declared, str(found["image"])),
        "split": lambda: _split(schema),
    }
    for key, guess in ways.items():
        theirs = wanted.get(key, AUTO)
        if theirs == AUTO:
            found[key] = guess()
            guessed += [key] if found[key] else []
        else:
            found[key] = None if theirs is None else _named(where, schema, key, theirs)
    image, label = str(found["image"]), str(found["label"])
    if image == label:
        raise DatasetError(f"{where}: images and labels are read from one column, '{image}'; set dataset.columns.")
    return Columns(image, label, found["split"], is_text_type(schema.field(image).type), tuple(guessed))


def _named(where: str, schema: Any, key: str, name: str) -> str:
    if schema.names.count(name) == 1:
        return name
    near = get_close_matches(name, schema.names, 1)
    hint = f" (dataset.columns.{key}='{near[0]}'?)" if near else ""
    count = f"{schema.names.count(name)} columns" if name in schema.names else "no column"
    raise DatasetError(f"{where} has {count} '{name}'{hint}; its columns: {', '.join(schema.names) or 'none'}.")


def _image(where: str, schema: Any, declared: Declared) -> str:
    names = [name for name in declared.images if name in schema.names]
    names = names or [field.name for field in schema if _holds_bytes(field.type)]
    names = names or _called([field.name for field in schema if is_text_type(field.type)], "path")
    return _only(where, schema, "image", _called(names, "path", "image") or names)


def _label(where: str, schema: Any, declared: Declared, image: str) -> str:
    names = [name for name in (declared.classes or {}) if name in schema.names]
    if len(names) != 1:
        among = names or [name for name in schema.names if name != image]
        names = _called(among, "label", "label") or names
    return _only(where, schema, "label", names)


def _split(schema: Any) -> str | None:
    names = [name for name in schema.names if name.casefold() in SPLITS]
    return str(names[0]) if len(names) == 1 else None


def _only(where: str, schema: Any, key: str, names: Sequence[str]) -> str:
    if len(names) == 1:
        return names[0]
    which = f"{len(names)} columns that may hold" if names else "no column that clearly holds"
    among = names or [name for name in schema.names if name]
    raise DatasetError(
        f"{where} has {which} the {key}s: {listed(among)}. Choose one: "
        f"dataset.columns.{key}={(list(among) or ['NAME'])[0]}"
    )


def _called(names: Sequence[str], key: str, *best: str) -> list[str]:
    """Return the names that mean images or labels in other people's tables; of several only the best one."""
    for wanted in best:
        exact = [name for name in names if name.casefold() == wanted]
        if len(exact) == 1:
            return exact
    words = {key, *SYNONYMS[key]}
    return [name for name in names if name.casefold() in words]


def _holds_bytes(kind: Any) -> bool:
    import pyarrow

    if pyarrow.types.is_struct(kind):
        inner = {kind.field(number).name: kind.field(number).type for number in range(kind.num_fields)}
        return "bytes" in inner and _holds_bytes(inner["bytes"])
    return bool(
        pyarrow.types.is_binary(kind)
        or pyarrow.types.is_large_binary(kind)
        or pyarrow.types.is_binary_view(kind)
        or pyarrow.types.is_fixed_size_binary(kind)
    )


def require_images(where: str, schema: Any, columns: Columns) -> None:
    """Raise DatasetError if the column of images is of another type."""
    kind = schema.field(columns.image).type
    if not (_holds_bytes(kind) or is_text_type(kind)):
        raise DatasetError(
            f"{where}: '{columns.image}' is of type {kind}; expected: bytes, a struct of bytes and path, or paths."
        )
