"""Time budgets."""

import re
import time
from collections.abc import Callable

from offshelf.errors import ConfigError

UNITS = {"s": 1.0, "min": 60.0, "h": 3600.0}


def seconds(budget: str) -> float:
    """Return the seconds of a time such as `90s`, `10min` or `1h`.

    Raises:
        ConfigError: the text is not such a time, or it is zero.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(s|min|h)", str(budget).replace(" ", ""))
    if not found or not float(found[1]):
        raise ConfigError(f"budget is a time such as 90s, 10min or 1h; got '{budget}'.")
    return float(found[1]) * UNITS[found[2]]


class Budget:
    """A clock that starts now, and the seconds that may be spent."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Start the clock; `clock` returns seconds."""
        self.seconds, self.clock = seconds, clock
        self._begin = clock()

    @property
    def spent(self) -> float:
        """Seconds since the start."""
        return self.clock() - self._begin

    def holds(self, seconds: float = 0) -> bool:
        """Return whether at least so many seconds are left."""
        return self.spent + seconds <= self.seconds
