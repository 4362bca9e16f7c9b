"""The table of a recommendation."""

from io import StringIO

from rich.console import Console

from offshelf.metric import Interval
from offshelf.report import LeaderboardRow, leaderboard_columns, leaderboard_table, skipped_lines

ROWS = [
    LeaderboardRow("pixels", "pixels", 0.948, Interval(0.927, 0.969), 400, 222.4, 12288, ""),
    LeaderboardRow(
        "efficientnet_lite0", "pre_logits", 0.82, Interval(0.767, 0.873), 200, 91.2, 5120, "1: -0.095±0.031"
    ),
]


def test_fits_a_terminal():
    """Of 80 columns, with names and numbers whole."""
    out = StringIO()
    Console(file=out, width=80).print(leaderboard_table(ROWS, "accuracy", "recommend digits"))
    lines = [line.rstrip() for line in out.getvalue().splitlines()]

    assert max(map(len, lines)) <= 80
    (dropped,) = [line for line in lines if "efficientnet_lite0" in line]
    assert " ".join(dropped.split()) == "efficientnet_lite0 pre_logits 0.8200 ± 0.0530 91 5,120 1: -0.095±0.031"


def test_columns():
    """All that the table has, and how many images there were, in full precision."""
    columns = leaderboard_columns(ROWS, "accuracy")

    assert columns["rank"] == [1, 2]
    assert columns["cv/accuracy"] == [0.948, 0.82]
    assert columns["cv/accuracy_low"] == [0.927, 0.767]
    assert columns["images"] == [400, 200]
    assert columns["dropped"] == ["", "1: -0.095±0.031"]


def test_what_was_not_tried():
    assert skipped_lines({}) == ""
    assert skipped_lines({"vgg16": "not here"}) == "Left out:\n  vgg16: not here"
