"""`compare`: runs and results side by side."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from offshelf.api.loaded_run import LoadedRun
from offshelf.api.report import Report
from offshelf.api.results import Classification, Retrieval
from offshelf.commands.compare import Row, require_metric, to_sheet
from offshelf.commands.compare import compare as compared
from offshelf.commands.comparison import page_of
from offshelf.errors import ConfigError
from offshelf.metric import Bootstrap, Interval
from offshelf.report import flat
from offshelf.tracking.mlflow.reading import TrackedRun, TrackedRuns

if TYPE_CHECKING:
    from pandas import DataFrame

VARIED = 5
"""Column of a comparison from which on parameters follow that are not the same for all."""


def compare(
    runs: Sequence[Any],
    *,
    metric: str | None = None,
    replicates: int = 2000,
    home: str = "",
    uri: str = "",
    experiment: str = "offshelf",
) -> "DataFrame":
    """Return runs side by side, best first, with error bars and paired differences, as `offshelf compare` does.

    Args:
        runs: Results of `classify` or `retrieve`, loaded runs, and ids, names or MLflow filters of tracked runs.
        metric: Without, the official one of the first run's data set.
        replicates: Draws of the bootstrap.
        home: See `load`.
        uri: See `load`.
        experiment: See `load`.

    Returns:
        A row per run: `run`, `id`, the metric with `low` and `high` (its interval), `difference` to the best run with
        `difference_low` and `difference_high`, `p` (two-sided, of no difference), and the parameters that differ.
        Missing where test images or queries are not the same.

    Raises:
        ConfigError: fewer than two runs, or one lacks the metric.
        TrackingError: a run cannot be found or read.
    """
    found = {one.id or one.artifacts: one for run in runs for one in _found(run, home, uri, experiment)}
    several = list(found.values())
    if len(several) < 2:
        raise ConfigError("A comparison takes two runs or more.")
    official = metric or several[0].tags.get("metric", "accuracy")
    rows = compared(several, official, Bootstrap(replicates))
    return _table(rows, official)


def compare_report(
    first: Any,
    second: Any,
    *,
    metric: str | None = None,
    replicates: int = 2000,
    home: str = "",
    uri: str = "",
    experiment: str = "offshelf",
) -> Report:
    """Return what changed from one run to another as a page, as `offshelf compare A B --out FILE.html` writes it.

    Args:
        first: A result, a loaded run, or the id or name of a tracked one.
        second: The other one.
        metric: Without, the official one of the first run's data set.
        replicates: Draws of the bootstrap.
        home: See `load`.
        uri: See `load`.
        experiment: See `load`.

    Raises:
        ConfigError: a run lacks the metric, or several runs have the name.
        TrackingError: a run cannot be found or read.
    """
    found = [_one(run, home, uri, experiment) for run in (first, second)]
    official = metric or found[0].tags.get("metric", "accuracy")
    require_metric(found, official)
    return Report(page_of(found[0], found[1], official, Bootstrap(replicates)))


def _one(run: Any, home: str, uri: str, experiment: str) -> TrackedRun:
    found = _found(run, home, uri, experiment)
    if len(found) != 1:
        raise ConfigError(f"{run} means {len(found)} runs; name one.")
    return found[0]


def _found(run: Any, home: str, uri: str, experiment: str) -> list[TrackedRun]:
    if isinstance(run, Classification | Retrieval):
        return [_of_result(run)]
    if isinstance(run, LoadedRun):
        return TrackedRuns(home, uri, experiment).find(run.run_id) if run.run_id else [_of_folder(run)]
    if isinstance(run, str):
        return TrackedRuns(home, uri, experiment).find(run)
    raise ConfigError(f"A run is a result, a loaded run, or its id or name; got a {type(run).__name__}.")


def _of_result(result: Classification | Retrieval) -> TrackedRun:
    names = {"dataset": result.images.name, "layer": result.layer, "backbone": result.backbone}
    params = {name: str(value) for name, value in {**flat(result.config), **names}.items()}
    tags = {"metric": result.images.metric}
    return _untracked(result.run_id, result.run.title, params, result.metrics, tags, result.run.folder)


def _of_folder(run: LoadedRun) -> TrackedRun:
    params = {name: str(value) for name, value in flat(run.config).items()}
    return _untracked("", run.name, params, run.metrics, {}, run.folder)


def _untracked(
    id: str, name: str, params: Mapping[str, str], metrics: Mapping[str, float], tags: Mapping[str, str], folder: Path
) -> TrackedRun:
    """Return a run whose tables are in its output folder."""
    return TrackedRun(id, name, "FINISHED", params, metrics, tags, str(folder), cast("TrackedRuns", _Folders()))


class _Folders:
    """Stands for a tracking store, whose artifacts are files."""

    def data(self, run: TrackedRun, file: str) -> bytes | None:
        """Return the content of a file; None where there is no such file."""
        path = Path(run.artifacts) / file
        return path.read_bytes() if path.is_file() else None


def _table(rows: Sequence[Row], metric: str) -> "DataFrame":
    import pandas as pd

    def line(row: Row) -> dict[str, Any]:
        interval, gap = Interval.logged(row.run.metrics, metric), row.difference
        return {
            "run": row.run.name,
            "id": row.run.id,
            metric: row.value,
            "low": interval.low if interval else None,
            "high": interval.high if interval else None,
            "difference": gap.value if gap else None,
            "difference_low": gap.interval.low if gap else None,
            "difference_high": gap.interval.high if gap else None,
            "p": gap.p_value if gap else None,
        }

    sheet = to_sheet(rows, metric)
    varied = [dict(zip(sheet.columns[VARIED:], cells[VARIED:], strict=True)) for cells in sheet.rows]
    return pd.DataFrame([{**line(row), **more} for row, more in zip(rows, varied, strict=True)])
