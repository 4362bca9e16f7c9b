"""Time that may be spent."""

import pytest

from offshelf.errors import ConfigError
from offshelf.tasks.recommend.budget import Budget, seconds


@pytest.mark.parametrize(("text", "expected"), [("90s", 90), ("10min", 600), ("1h", 3600), ("1.5 min", 90)])
def test_times(text, expected):
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "10", "ten min", "0s", "-5min", "10 minutes", "1h30min"])
def test_no_times(text):
    with pytest.raises(ConfigError, match="budget is a time such as 90s, 10min or 1h"):
        seconds(text)


def test_what_is_left():
    """By the clock that is given, from when the budget was made."""
    now = [100.0]
    budget = Budget(60, lambda: now[0])
    now[0] += 40

    assert budget.spent == 40
    assert budget.holds() and budget.holds(20) and not budget.holds(20.5)
