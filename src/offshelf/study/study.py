"""Definition of a study: `study.yaml` names the runs that answer it and the numbers to read from them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from offshelf.errors import ConfigError
from offshelf.metric import METRICS, RETRIEVAL_METRICS
from offshelf.study.published import PublishedNumbers, read_published
from offshelf.suggest import did_you_mean

FILE = "study.yaml"
KINDS = ("table", "layers", "confusion")
KEYS = ("title", "kind", "metric", "columns", "rows", "notes")
ROW_KEYS = ("name", "run", "beside")
COLUMN_KEYS = ("class", "metric", "run", "beside")
NO_SHARE = "ns_score"
"""A metric that is not a share, and so cannot be reported in percent; recall_at_4 is a quarter of it."""


@dataclass(frozen=True)
class Column:
    """One number to read from a run."""

    name: str
    metric: str
    label: str | None = None
    """The class; None: the metric over all classes."""
    run: str = ""
    """Suffix of the row's run name, if the number comes from another run than the row's."""
    beside: str = ""
    """The published column to compare with."""

    @property
    def of_queries(self) -> bool:
        """Whether the number is a mean over the queries of a retrieval."""
        return self.metric not in METRICS


@dataclass(frozen=True)
class StudyRow:
    """One run, by the name that its config sets."""

    name: str
    run: str
    beside: str | None = None
    """The published method to compare with."""


@dataclass(frozen=True)
class Study:
    """A question, and the runs that answer it."""

    folder: Path
    title: str
    kind: str
    """`table`: a line per run; `layers`: a line per layer of each run; `confusion`: which classes a run confuses."""
    columns: Sequence[Column]
    rows: Sequence[StudyRow]
    notes: Sequence[str] = ()
    published: PublishedNumbers = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name of the folder."""
        return self.folder.absolute().name

    @property
    def summary(self) -> Sequence[Column]:
        """Columns over all classes; if there are none, all columns."""
        return [column for column in self.columns if column.label is None] or self.columns


def read_study(folder: Path) -> Study:
    """Read `study.yaml` and, if it exists, `published.csv`.

    Raises:
        ConfigError: one of them is missing or malformed; the file and the key are named.
    """
    path = folder / FILE
    node = _Node(_parse(path), str(path), KEYS)
    study = Study(
        folder=folder,
        title=node.text("title"),
        kind=node.text("kind", "table"),
        columns=_columns(node),
        rows=_rows(node),
        notes=tuple(str(note) for note in node.entries("notes")),
        published=read_published(folder / "published.csv"),
    )
    _check(study, path)
    return study


def _parse(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read: {error.strerror}. A study is a folder that holds a {FILE}."
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not YAML: {' '.join(str(error).split())}") from error


class _Node:
    """A mapping in the file, with its known keys and its place in the file for messages."""

    def __init__(self, value: Any, place: str, known: Sequence[str]) -> None:
        if not isinstance(value, Mapping):
            raise ConfigError(f"{place}: expected keys and values ({', '.join(known)}); got {value!r}.")
        for key in map(str, value):
            if key not in known:
                raise ConfigError(f"{place}: there is no key '{key}'{did_you_mean(key, known)}")
        self.value, self.place = value, place

    def text(self, key: str, default: str | None = None) -> str:
        """Return a text or a number as text."""
        found = self.value.get(key, default)
        if found is None:
            raise ConfigError(f"{self.place}: the key '{key}' is missing.")
        if isinstance(found, Mapping | list):
            raise ConfigError(f"{self.place}: '{key}' is one text; got {found!r}.")
        return str(found)

    def entries(self, key: str) -> Sequence[Any]:
        """Return a list; empty without the key."""
        found = self.value.get(key) or []
        if not isinstance(found, list):
            raise ConfigError(f"{self.place}: '{key}' is a list; got {found!r}.")
        return found


def _columns(node: _Node) -> tuple[Column, ...]:
    place = f"{node.place}, columns"
    listed = node.value.get("columns") or {}
    if not isinstance(listed, Mapping):
        raise ConfigError(f"{place}: expected names, and for each what it is; got {listed!r}.")
    common = node.value.get("metric")
    columns = []
    for name, value in listed.items():
        found = _Node(value or {}, f"{place}, {name}", COLUMN_KEYS)
        metric = found.text("metric", common)
        _check_metric(metric, found.place)
        label = found.text("class") if "class" in found.value else None
        if label is not None and not (metric in METRICS and METRICS[metric].by_class):
            raise ConfigError(f"{found.place}: {metric} has no numbers for single classes.")
        columns.append(Column(str(name), metric, label, found.text("run", ""), found.text("beside", str(name))))
    return tuple(columns)


def _check_metric(metric: str, place: str) -> None:
    """Raise ConfigError for an unknown metric. Those of a retrieval may follow their protocol: `medium/mAP`."""
    shares = [name for name in RETRIEVAL_METRICS if name != NO_SHARE]
    known = [*METRICS, *shares]
    if metric not in METRICS and metric.rpartition("/")[2] not in shares:
        raise ConfigError(f"{place}: there is no metric '{metric}'{did_you_mean(metric, known)}")


def _rows(node: _Node) -> tuple[StudyRow, ...]:
    rows = []
    for number, value in enumerate(node.entries("rows"), 1):
        found = _Node(value, f"{node.place}, row {number}", ROW_KEYS)
        beside = found.text("beside") if "beside" in found.value else None
        rows.append(StudyRow(found.text("name"), found.text("run"), beside))
    return tuple(rows)


def _check(study: Study, path: Path) -> None:
    """Raise ConfigError if parts of a study contradict each other."""
    if study.kind not in KINDS:
        raise ConfigError(f"{path}: there is no kind '{study.kind}'{did_you_mean(study.kind, KINDS)}")
    if not study.rows:
        raise ConfigError(f"{path}: 'rows' is empty; list the runs, each with name and run.")
    if not study.columns and study.kind != "confusion":
        raise ConfigError(f"{path}: 'columns' is empty; list what is read off each run.")
    _check_rows(study, path)
    _check_columns(study, path)


def _check_rows(study: Study, path: Path) -> None:
    names = [row.name for row in study.rows]
    if len(set(names)) < len(names):
        raise ConfigError(f"{path}: two rows are called '{max(names, key=names.count)}'; give each a name of its own.")
    for row in study.rows:
        if row.beside is None:
            continue
        if study.kind != "table":
            raise ConfigError(
                f"{path}, row '{row.name}': only studies of the kind 'table' compare rows with published methods."
            )
        if row.beside not in study.published:
            known = list(study.published)
            raise ConfigError(
                f"{path}, row '{row.name}': published.csv has no method '{row.beside}'{did_you_mean(row.beside, known)}"
            )


def _check_columns(study: Study, path: Path) -> None:
    if study.kind == "layers" and any(column.run for column in study.columns):
        raise ConfigError(
            f"{path}: the layers of a row are those of one run; 'run' of a column is for the kind 'table'."
        )
    if not study.published:
        return
    known = list(dict.fromkeys(name for cells in study.published.values() for name in cells))
    for column in study.columns:
        if column.beside not in known and column.beside != column.name:
            raise ConfigError(
                f"{path}, column '{column.name}': published.csv has no column '{column.beside}'"
                f"{did_you_mean(column.beside, known)}"
            )
    read = {column.beside for column in study.columns}
    unread = [name for name in known if name not in read]
    if unread:
        raise ConfigError(
            f"{path}: published.csv has the column '{unread[0]}', which no column of the study is compared with."
        )
