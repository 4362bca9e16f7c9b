"""Tables for the terminal."""

from collections.abc import Sequence
from datetime import timedelta

from rich.filesize import decimal

from offshelf.backbone.backbone import LayerInfo
from offshelf.dataset import LeftOut
from offshelf.evaluation.score import Score
from offshelf.evaluation.spectra import Spectra
from offshelf.extractor import Forecast
from offshelf.metric import metrics_of
from offshelf.report.files import with_error_bar
from offshelf.terminal.grid import Grid, columns


def score_table(scores: Sequence[Score], beside: Sequence[Score], chosen: Score, title: str) -> Grid:
    """Return scores from input to output, then the baseline; the layer chosen by cross-validation is bold."""
    every = [*scores, *beside]
    names = dict.fromkeys(name for score in every for name in _cells(score))
    grid = Grid(columns(["layer"], list(names)), title, _bars(every, chosen))
    for score in every:
        cells = _cells(score)
        grid.add(score.name, *(cells.get(name, "–") for name in names), is_bold=score is chosen)
        if score is scores[-1]:
            grid.end_section()
    return grid


def _bars(scores: Sequence[Score], chosen: Score) -> list[str]:
    """Return what the numbers after ± are."""
    notes = []
    if chosen.bootstrap.replicates:
        units = "test images" if chosen.outcomes[0].groups is None else "groups of test images"
        notes.append(f"test ±: half of the {chosen.bootstrap.level:.0%} interval over {units}")
    if any(f"cv/{chosen.metric}" in score.metrics for score in scores):
        notes.append("cv ±: standard deviation over folds")
    return ["; ".join(notes)] if notes else []


def other_numbers(score: Score) -> str:
    """Return the other metrics of predicted numbers, in a line, with half of their intervals; empty for classes."""
    others = [name for name in metrics_of("number") if name != score.metric and f"test/{name}" in score.metrics]
    if score.kind != "number" or not others:
        return ""
    listed = ", ".join(f"{name.replace('_', ' ')} {with_error_bar(score.metrics, name)}" for name in others)
    return f"{score.name}, test: {listed}"


def spectrum_table(spectra: Spectra, beside: Sequence[Score]) -> Grid:
    """Return the spectra of the layers' training features, and that of the baseline; they rank nothing."""
    grid = Grid(columns(["layer"], ["RankMe", "stable rank", "dims", "rows"]), "Training features")
    for name, one in [*spectra.layers.items(), *((score.name, score.spectrum) for score in beside)]:
        if one:
            grid.add(name, f"{one.rankme:.1f}", f"{one.stable_rank:.2f}", f"{one.dims:,}", f"{one.rows:,}")
    return grid


def open_grids(scores: Sequence[Score]) -> str:
    """Return remarks on layers whose best hyperparameter is at an end of the grid; empty if there are none."""
    beyond = {"largest": "larger", "smallest": "smaller"}
    remarks = []
    for end, others in beyond.items():
        layers = [score.name for score in scores if any(fit.curve and fit.curve.edge == end for fit in score.fits)]
        if layers:
            parameter = scores[0].parameter
            remarks.append(
                f"The best {parameter} is the {end} tried for {', '.join(layers)}; {others} ones may do better: "
                f"classifier.{parameter}=[…]"
            )
    return "\n".join(remarks)


def _cells(score: Score) -> dict[str, str]:
    """Return the numbers of a layer that are known, the most important ones first."""
    metrics, metric, words = score.metrics, score.metric, score.metric.replace("_", " ")
    cells = {f"test {words}": with_error_bar(metrics, metric)} if f"test/{metric}" in metrics else {}
    if f"cv/{metric}" in metrics:
        cells[f"cv {words}"] = f"{metrics[f'cv/{metric}']:.4f} ± {metrics[f'cv/{metric}_std']:.4f}"
    chosen = sorted({fit.value for fit in score.fits})  # one per fold: all of them would not fit in 80 columns
    cells[score.parameter] = "–".join(f"{value:g}" for value in dict.fromkeys((chosen[0], chosen[-1])))
    cells["dims"] = f"{score.dims:,}"
    if score.gap is not None:
        cells["dual gap"] = f"{score.gap:.0e}"
    return {**cells, "fit s": f"{score.seconds:.1f}"}


def extraction_table(forecast: Forecast, layers: Sequence[str], views: int) -> Grid:
    """Return the size of an extraction, the part that the store lacks and, after a probe, its cost."""
    facts = [
        ("images", f"{forecast.images:,}"),
        ("not in the store", f"{forecast.missing:,}"),
        ("views per image", str(views)),
        ("layers", ", ".join(layers)),
    ]
    if forecast.size is not None and forecast.seconds is not None:
        facts += [
            ("passes of a view", f"{forecast.passes:,}"),
            ("to be written", decimal(forecast.size)),
            ("time, from a probe", str(timedelta(seconds=round(forecast.seconds)))),
            ("extractor", forecast.how),
        ]
    return Grid.of_facts(facts)


def left_out_line(left_out: Sequence[LeftOut]) -> str:
    """Return the number of images that could not be used; empty if all could."""
    if not left_out:
        return ""
    roles = [one.role for one in left_out]
    counts = ", ".join(f"{roles.count(role)} of {role}" for role in sorted(set(roles)))
    return f"Left out: {len(left_out)} image(s) that cannot be used ({counts}); see left_out.csv"


def layer_listing(layers: Sequence[LayerInfo], title: str) -> Grid:
    """Return the layers that can be requested, with the shape of their output for one image."""
    grid = Grid(columns(["layer", "module", "shape"]), title)
    for layer in layers:
        grid.add(layer.name, layer.module, " x ".join(str(length) for length in layer.shape))
    return grid
