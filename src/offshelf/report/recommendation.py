"""The presentation of a recommendation: candidates ranked, with their cost and the round that dropped them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from offshelf.metric import Interval
from offshelf.terminal.grid import Grid, columns

NOTES = (
    "cv ±: half of the interval over held-out training images",
    "img/s: all layers of the backbone at once, as measured on these images (a few may be too few for the engine of a "
    "full run)",
    "dropped: in which round, and the paired difference to its best ± standard error",
)


@dataclass(frozen=True)
class LeaderboardRow:
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
    status: str
    """The round that dropped it, and the difference to that round's best; empty if it was not dropped."""


def leaderboard_columns(rows: Sequence[LeaderboardRow], metric: str) -> dict[str, list[Any]]:
    """Return column names with values, a row per candidate."""
    return {
        "rank": list(range(1, len(rows) + 1)),
        "backbone": [one.backbone for one in rows],
        "layer": [one.layer for one in rows],
        f"cv/{metric}": [one.value for one in rows],
        f"cv/{metric}_low": [one.interval.low if one.interval else None for one in rows],
        f"cv/{metric}_high": [one.interval.high if one.interval else None for one in rows],
        "images": [one.images for one in rows],
        "images_per_second": [one.rate for one in rows],
        "bytes_per_image": [one.size for one in rows],
        "dropped": [one.status for one in rows],
    }


def leaderboard_table(rows: Sequence[LeaderboardRow], metric: str, title: str) -> Grid:
    """Return the ranking: the winner is bold, and a line separates layers that were not ruled out from the others."""
    numbers = [f"cv {metric.replace('_', ' ')}", "img/s", "bytes"]
    grid = Grid([*columns(["backbone", "layer"], numbers), *columns(["dropped"])], title, NOTES)
    for number, one in enumerate(rows):
        bar = f" ± {one.interval.half:.4f}" if one.interval else ""
        cells = (f"{one.value:.4f}{bar}", f"{one.rate:,.0f}", f"{one.size:,}", one.status or "–")
        grid.add(one.backbone, one.layer, *cells, is_bold=number == 0)
        if not one.status and number + 1 < len(rows) and rows[number + 1].status:
            grid.end_section()
    return grid


def skipped_lines(skipped: Mapping[str, str]) -> str:
    """Return the backbones that were not tried, and why; empty if all were."""
    return "\n".join(["Left out:", *(f"  {name}: {why}" for name, why in skipped.items())]) if skipped else ""
