"""The table of `svm_map.py`: what lost first, and the summary above it."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

POINTS = 0.002
"""By so much less accurate on test rows is as accurate."""
NOISE = 1.05
"""Ratios between this and its inverse count as equal."""
PEERS = ("LinearSVC", "LinearSVC primal", "OneVsOne", "SVC")

Row = dict[str, str]


@dataclass(frozen=True)
class Best:
    """The fastest fit of one contestant, or of several."""

    side: str
    tol: str
    seconds: dict[str, float]
    """Wall and CPU."""
    memory: float
    gap: str
    accuracy: float
    is_limit: bool
    method: str = ""


def table(rows: Sequence[Row], label: str, by: str) -> str:
    """Return Markdown: counts and the geometric mean, then a row per cell, the largest loss first.

    The ratio is the peer's seconds by ours: above 1 ours is faster. A fit that was stopped counts as the limit.
    """
    compared = []
    for name, found in _by_cell(rows).items():
        ours, peer = _ours(found, label), _peer(found, label, by)
        if ours and peer:
            compared.append((peer.seconds[by] / ours.seconds[by], name, ours, peer))
    if not compared:
        return "There are no cells with both sides."
    compared.sort(key=lambda one: (one[0], one[1]))
    side = ["wall, s", "CPU, s", "MB", "gap", "accuracy"]
    header = " | ".join(["cell", f"ratio, {by}", *(f"ours: {word}" for word in side), "method", "peer", "tol", *side])
    lines = [_summary([one[0] for one in compared], by), "", f"| {header} |", "|" + "---|" * (header.count("|") + 1)]
    return "\n".join([*lines, *(_line(*one) for one in compared)])


def _summary(ratios: Sequence[float], by: str) -> str:
    won, lost = sum(one > NOISE for one in ratios), sum(one < 1 / NOISE for one in ratios)
    mean = float(np.exp(np.mean(np.log(ratios))))
    return (
        f"{len(ratios)} cells by {by} seconds: {won} faster, {lost} slower, {len(ratios) - won - lost} equal to within "
        f"5 %; geometric mean of the ratios {mean:.2f}, from {min(ratios):.2f} to {max(ratios):.1f}."
    )


def _line(ratio: float, name: str, ours: Best, peer: Best) -> str:
    cells = [
        name,
        f"{'**' if ratio < 1 else ''}{ratio:.2f}{'**' if ratio < 1 else ''}",
        *_cells(ours),
        ours.method or "–",
    ]
    return f"| {' | '.join([*cells, peer.side, peer.tol, *_cells(peer)])} |"


def _cells(one: Best) -> list[str]:
    over = "over " if one.is_limit else ""
    seconds = [f"{over}{one.seconds[kind]:.3g}" for kind in ("wall", "cpu")]
    return [*seconds, f"{one.memory:.0f}", one.gap or "–", f"{one.accuracy:.4f}" if one.accuracy else "–"]


def _by_cell(rows: Sequence[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row["cell"].split(" | ")[0]].append(row)
    return found


def _ours(rows: Sequence[Row], label: str) -> Best | None:
    is_grid = rows[0]["cell"].startswith("grid ")
    mine = [row for row in rows if row["side"] == label and ("|" in row["cell"]) <= (not is_grid) and row["wall"]]
    return _fastest(mine, "cpu") if mine else None


def _peer(rows: Sequence[Row], label: str, by: str) -> Best | None:
    """Return the fastest peer that counts; of a grid its fits, each by the number that it stands for."""
    ours = _ours(rows, label)
    sides = [_side([row for row in rows if row["side"] == side and row["wall"]], ours, by) for side in PEERS]
    known = [side for side in sides if side]
    return min(known, key=lambda one: one.seconds[by]) if known else None


def _side(rows: Sequence[Row], ours: Best | None, by: str) -> Best | None:
    parts = []
    for _, group in groupby(sorted(rows, key=lambda row: row["cell"]), key=lambda row: row["cell"]):
        fits = list(group)
        at = _chosen_tol(fits)
        best = _fastest([row for row in fits if row["tol"] == at], by)
        counts = fits[0]["is_same"] == "1" or best.is_limit or not ours or best.accuracy >= ours.accuracy - POINTS
        if not counts and "|" not in fits[0]["cell"]:
            return None
        parts.append((int(fits[0]["weight"] or 1), best))
    if not parts:
        return None
    if len(parts) == 1:
        return parts[0][1]
    total = {kind: sum(weight * one.seconds[kind] for weight, one in parts) for kind in ("wall", "cpu")}
    tols, accuracy = "/".join(dict.fromkeys(one.tol for _, one in parts)), parts[-1][1].accuracy
    memory, is_limit = max(one.memory for _, one in parts), any(one.is_limit for _, one in parts)
    return Best(parts[0][1].side, tols, total, memory, "", accuracy, is_limit)


def _chosen_tol(fits: Sequence[Row]) -> str:
    """Return the tolerance that the search ended at: the default if it was tried, else the smallest."""
    tols = [row["tol"] for row in fits]
    return "default" if "default" in tols else min(tols, key=float)


def _fastest(fits: Sequence[Row], by: str) -> Best:
    row = min(fits, key=lambda one: float(one[by]))
    seconds = {kind: min(float(one[kind]) for one in fits) for kind in ("wall", "cpu")}
    numbers = [float(row[name] or 0) for name in ("memory_mb", "accuracy")]
    gap = f"{float(row['gap']):.0e}" if row["gap"] else ""
    return Best(row["side"], row["tol"], seconds, numbers[0], gap, numbers[1], row["status"] == "limit", row["method"])
