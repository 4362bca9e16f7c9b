"""Tables for the terminal."""

from collections.abc import Sequence
from datetime import timedelta

from rich import box
from rich.filesize import decimal
from rich.table import Table

from offshelf.backbone.backbone import LayerInfo
from offshelf.dataset import LeftOut
from offshelf.evaluation.score import Score
from offshelf.evaluation.spectra import Spectra
from offshelf.extractor import Forecast
from offshelf.metric import metrics_of
from offshelf.report.files import with_error_bar


def score_table(scores: Sequence[Score], beside: Sequence[Score], chosen: Score, title: str) -> Table:
    """Return scores from input to output, then the baseline; the layer chosen by cross-validation is bold."""
    metric = chosen.metric.replace("_", " ")
    table = Table(title=title, box=box.SIMPLE, title_justify="left", pad_edge=False)  # fits into 80 columns
    table.add_column("layer")
    certified = ["dual gap"] if chosen.gap is not None else []
    if chosen.bootstrap.replicates:
        units = "test images" if chosen.outcomes[0].groups is None else "groups of test images"
        table.caption = f"test ±: half of the {chosen.bootstrap.level:.0%} interval over {units}; cv ±: over folds"
        table.caption_justify = "left"
    for column in ("dims", chosen.parameter, f"cv {metric}", f"test {metric}", *certified, "fit s"):
        table.add_column(column, justify="right")
    for score in [*scores, *beside]:
        last = score is scores[-1]
        table.add_row(*_cells(score), style="bold" if score is chosen else None, end_section=last)
    return table


def other_numbers(score: Score) -> str:
    """Return the other metrics of predicted numbers, in a line, with half of their intervals; empty for classes."""
    others = [name for name in metrics_of("number") if name != score.metric and f"test/{name}" in score.metrics]
    if score.kind != "number" or not others:
        return ""
    listed = ", ".join(f"{name.replace('_', ' ')} {with_error_bar(score.metrics, name)}" for name in others)
    return f"{score.name}, test: {listed}"


def spectrum_table(spectra: Spectra, beside: Sequence[Score]) -> Table:
    """Return the spectra of the layers' training features, and that of the baseline; they rank nothing."""
    table = Table(title="Training features", box=box.SIMPLE, title_justify="left", pad_edge=False)
    table.add_column("layer")
    for column in ("dims", "rows", "RankMe", "stable rank"):
        table.add_column(column, justify="right")
    for name, one in [*spectra.layers.items(), *((score.name, score.spectrum) for score in beside)]:
        if one:
            table.add_row(name, f"{one.dims:,}", f"{one.rows:,}", f"{one.rankme:.1f}", f"{one.stable_rank:.2f}")
    return table


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


def _cells(score: Score) -> list[str]:
    metrics, metric = score.metrics, score.metric
    cv = f"{metrics[f'cv/{metric}']:.4f} ± {metrics[f'cv/{metric}_std']:.4f}" if f"cv/{metric}" in metrics else "–"
    test = with_error_bar(metrics, metric) if f"test/{metric}" in metrics else "–"
    chosen = sorted({fit.value for fit in score.fits})  # one per fold: all of them would not fit in 80 columns
    values = "–".join(f"{value:g}" for value in dict.fromkeys((chosen[0], chosen[-1])))
    certified = [f"{score.gap:.0e}"] if score.gap is not None else []
    return [score.name, f"{score.dims:,}", values, cv, test, *certified, f"{score.seconds:.1f}"]


def extraction_table(forecast: Forecast, layers: Sequence[str], views: int) -> Table:
    """Return the size of an extraction, the part that the store lacks and, after a probe, its cost."""
    table = Table(box=box.SIMPLE, show_header=False)
    table.add_row("images", f"{forecast.images:,}")
    table.add_row("not in the store", f"{forecast.missing:,}")
    table.add_row("views per image", str(views))
    table.add_row("layers", ", ".join(layers))
    if forecast.size is not None and forecast.seconds is not None:
        table.add_row("passes of a view", f"{forecast.passes:,}")
        table.add_row("to be written", decimal(forecast.size))
        table.add_row("time, from a probe", str(timedelta(seconds=round(forecast.seconds))))
        table.add_row("extractor", forecast.how)
    return table


def left_out_line(left_out: Sequence[LeftOut]) -> str:
    """Return the number of images that could not be used; empty if all could."""
    if not left_out:
        return ""
    roles = [one.role for one in left_out]
    counts = ", ".join(f"{roles.count(role)} of {role}" for role in sorted(set(roles)))
    return f"Left out: {len(left_out)} image(s) that cannot be used ({counts}); see left_out.csv"


def layer_listing(layers: Sequence[LayerInfo], title: str) -> Table:
    """Return the layers that can be requested, with the shape of their output for one image."""
    table = Table(title=title, box=box.SIMPLE, title_justify="left")
    for column in ("layer", "module", "shape"):
        table.add_column(column)
    for layer in layers:
        table.add_row(layer.name, layer.module, " x ".join(str(length) for length in layer.shape))
    return table
