"""Tables for the terminal."""

from collections.abc import Sequence

from rich import box
from rich.table import Table

from offshelf.backbone.backbone import LayerInfo
from offshelf.evaluate import Score


def score_table(scores: Sequence[Score], beside: Sequence[Score], chosen: Score, metric: str, title: str) -> Table:
    """Scores from input to output, the baseline below; the layer that cross-validation chose is bold."""
    table = Table(title=title, box=box.SIMPLE, title_justify="left")
    table.add_column("layer")
    for column in ("dims", "C", "cv accuracy", f"test {metric.replace('_', ' ')}", "fit s"):
        table.add_column(column, justify="right")
    for score in [*scores, *beside]:
        last = score is scores[-1]
        table.add_row(*_cells(score, metric), style="bold" if score is chosen else None, end_section=last)
    return table


def open_grids(scores: Sequence[Score]) -> str:
    """A remark on layers whose best C is the largest of the grid; empty where there are none."""
    layers = [score.name for score in scores if any(fit.curve and fit.curve.is_open for fit in score.fits)]
    if not layers:
        return ""
    return f"The best C is the largest tried for {', '.join(layers)}; larger ones may do better: classifier.C=[…]"


def _cells(score: Score, metric: str) -> list[str]:
    metrics = score.metrics
    cv = f"{metrics['cv/accuracy']:.4f} ± {metrics['cv/accuracy_std']:.4f}" if "cv/accuracy" in metrics else "–"
    test = f"{metrics[f'test/{metric}']:.4f}"
    if f"test/{metric}_std" in metrics:
        test += f" ± {metrics[f'test/{metric}_std']:.4f}"
    C = ", ".join(dict.fromkeys(f"{fit.C:g}" for fit in score.fits))
    return [score.name, f"{score.dims:,}", C, cv, test, f"{score.seconds:.1f}"]


def extraction_table(images: int, missing: int, layers: Sequence[str], views: int) -> Table:
    """What an extraction comprises, and how much of it is not in the store yet."""
    table = Table(box=box.SIMPLE, show_header=False)
    table.add_row("images", f"{images:,}")
    table.add_row("not in the store", f"{missing:,}")
    table.add_row("views an image", str(views))
    table.add_row("layers", ", ".join(layers))
    return table


def layer_listing(layers: Sequence[LayerInfo], title: str) -> Table:
    """Layers that can be asked for, with the shape of one image's output."""
    table = Table(title=title, box=box.SIMPLE, title_justify="left")
    for column in ("layer", "module", "shape"):
        table.add_column(column)
    for layer in layers:
        table.add_row(layer.name, layer.module, " x ".join(str(length) for length in layer.shape))
    return table
