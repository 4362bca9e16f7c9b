"""The presentation of a recommendation: candidates ranked, with their cost and the round that dropped them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich import box
from rich.table import Table

from offshelf.metric import Interval


@dataclass(frozen=True)
class Standing:
    """The rank of a layer and its properties."""

    backbone: str
    layer: str
    value: float
    """The official metric, cross-validated on training images in the layer's last round."""
    interval: Interval | None
    images: int
    """Number of images in the sample of that round."""
    rate: float
    """Images per second through the backbone, for all of its layers at once."""
    size: int
    """Bytes of features per image."""
    fate: str
    """The round that dropped it, and the difference to that round's best; empty if it was not dropped."""


def standing_columns(standings: Sequence[Standing], metric: str) -> dict[str, list[Any]]:
    """Return column names with values, a row per candidate."""
    return {
        "rank": list(range(1, len(standings) + 1)),
        "backbone": [one.backbone for one in standings],
        "layer": [one.layer for one in standings],
        f"cv/{metric}": [one.value for one in standings],
        f"cv/{metric}_low": [one.interval.low if one.interval else None for one in standings],
        f"cv/{metric}_high": [one.interval.high if one.interval else None for one in standings],
        "images": [one.images for one in standings],
        "images_per_second": [one.rate for one in standings],
        "bytes_per_image": [one.size for one in standings],
        "dropped": [one.fate for one in standings],
    }


def standing_table(standings: Sequence[Standing], metric: str, title: str) -> Table:
    """Return the ranking: the winner is bold, and a line separates layers that were not ruled out from the others."""
    table = Table(title=title, box=box.SIMPLE, padding=(0, 1, 0, 0), title_justify="left", caption_justify="left")
    table.caption = (
        "cv ±: half of the interval over held-out training images; img/s: all layers of the backbone at once, "
        "as measured on these images (a few may be too few for the engine of a full run); "
        "dropped: in which round, and the paired difference to its best ± standard error"
    )
    for column in ("backbone", "layer"):
        table.add_column(column, overflow="fold")
    for column in (f"cv {metric.replace('_', ' ')}", "img/s", "bytes"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("dropped", no_wrap=True)
    for number, one in enumerate(standings):
        bar = f" ± {one.interval.half:.3f}" if one.interval else ""
        is_last = not one.fate and number + 1 < len(standings) and bool(standings[number + 1].fate)
        cells = (f"{one.value:.3f}{bar}", f"{one.rate:.0f}", f"{one.size:,}", one.fate or "–")
        table.add_row(one.backbone, one.layer, *cells, style="bold" if number == 0 else None, end_section=is_last)
    return table


def aside_lines(aside: Mapping[str, str]) -> str:
    """Return the backbones that were not tried, and why; empty if all were."""
    return "\n".join(["Left out:", *(f"  {name}: {why}" for name, why in aside.items())]) if aside else ""
