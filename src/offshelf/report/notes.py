"""What the descriptions of runs say, from their scores."""

from collections.abc import Iterator, Mapping, Sequence

from offshelf.dataset import ImageSet, RetrievalSet
from offshelf.evaluation.score import Score
from offshelf.metric import Interval
from offshelf.names import readable
from offshelf.report.files import Scored, with_error_bar
from offshelf.report.findings import found_line
from offshelf.report.recommendation import LeaderboardRow
from offshelf.tracking.note import Note

REPORT = "report.html"


def classification_note(
    scores: Sequence[Score], baselines: Sequence[Score], chosen: Score, images: ImageSet, has_report: bool
) -> str:
    """Return the description of a classification: the answer, the layers with their numbers, and their curve."""
    several = len(scores) > 1
    curve = "layers.png" if several else f"{chosen.parameter.lower()}_curve.png" if chosen.curve else ""
    files = [("report", REPORT)] if has_report else []
    files += [("predictions", "predictions.csv"), ("config", "config.yaml")]
    mistakes = "scatter.png" if chosen.kind == "number" else "confusion.png" if chosen.confusion is not None else ""
    return Note(
        f"{_number(chosen)} with {chosen.name}",
        [found_line(images), *_choice(scores, chosen)],
        files,
        ["layer", f"test {_words(chosen.metric)}", "cross-validated", chosen.parameter, "dims"],
        [_row(score, score is chosen) for score in [*scores, *baselines]] if several else [],
        [name for name in (curve, mistakes) if name],
    ).markdown()


def layer_note(score: Score) -> str:
    """Return the description of one layer of several: its number, and its mistakes."""
    name = "scatter.png" if score.kind == "number" else "confusion.png" if score.confusion is not None else ""
    return Note(_number(score), [f"One layer of several: {score.name}."], pictures=[name] if name else []).markdown()


def retrieval_note(scores: Sequence[Scored], chosen: Scored, images: RetrievalSet, has_sheet: bool) -> str:
    """Return the description of a retrieval."""
    files = [("worst queries", "contact_sheet.html")] if has_sheet else []
    rows = [[readable(score.name), with_error_bar(score.metrics, score.metric)] for score in scores]
    several = len(scores) > 1
    return Note(
        f"{_number(chosen)} with {chosen.name}",
        [found_line(images)],
        [*files, ("queries", "queries.csv"), ("config", "config.yaml")],
        ["layer", _words(chosen.metric)],
        rows if several else [],
        [*(["layers.png"] if several else []), "precision_recall.png"],
    ).markdown()


def sweep_note(
    best: str, metrics: Mapping[str, float], by: str, columns: Sequence[str], rows: Sequence[Sequence[str]]
) -> str:
    """Return the description of a sweep: its best job, and all jobs."""
    values = ", ".join(f"{_words(name)} {value:.4f}" for name, value in metrics.items())
    answer = f"Best by {by}: {best}, {values}" if best else f"{len(rows)} jobs"
    return Note(answer, (), [("jobs", "jobs.json")], columns, rows).markdown()


def recommendation_note(rows: Sequence[LeaderboardRow], metric: str, images: ImageSet) -> str:
    """Return the description of a recommendation: the winner, and the ranking."""
    best = rows[0]
    cells = [[one.backbone, one.layer, f"{one.value:.4f}", f"{one.rate:,.0f}", one.status or "–"] for one in rows]
    return Note(
        f"{best.backbone} {best.layer}: cross-validated {_words(metric)} {best.value:.4f}",
        [found_line(images)],
        [("ranking", "recommendation.json"), ("config", "config.yaml")],
        ["backbone", "layer", f"cv {_words(metric)}", "img/s", "dropped"],
        cells,
    ).markdown()


def _number(score: Scored) -> str:
    interval = Interval.logged(score.metrics, score.metric)
    ends = f" (interval {interval.low:.4f} to {interval.high:.4f})" if interval else ""
    return f"{_words(score.metric)} {score.metrics[f'test/{score.metric}']:.4f}{ends}"


def _choice(scores: Sequence[Score], chosen: Score) -> Iterator[str]:
    if len(scores) > 1 and f"cv/{chosen.metric}" in chosen.metrics:
        yield f"Cross-validation on the training images chose {chosen.name} among {len(scores)} layers."


def _row(score: Score, is_chosen: bool) -> list[str]:
    metrics, name = score.metrics, f"cv/{score.metric}"
    test = with_error_bar(metrics, score.metric) if f"test/{score.metric}" in metrics else "–"
    validated = f"{metrics[name]:.4f} ± {metrics[f'{name}_std']:.4f}" if name in metrics else "–"
    values = sorted({fit.value for fit in score.fits})
    chosen = "–".join(f"{value:g}" for value in dict.fromkeys((values[0], values[-1])))
    return [f"{readable(score.name)}{' ✓' if is_chosen else ''}", test, validated, chosen, f"{score.dims:,}"]


def _words(name: str) -> str:
    return name.replace("_", " ")
