"""Time that may be spent."""

import re
import time
from collections.abc import Callable

from offshelf.errors import ConfigError

UNITS = {"s": 1.0, "min": 60.0, "h": 3600.0}


def seconds(budget: str) -> float:
    """Of a time such as `90s`, `10min` or `1h`.

    Raises:
        ConfigError: it is no such time, or none at all.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(s|min|h)", str(budget).replace(" ", ""))
    if not found or not float(found[1]):
        raise ConfigError(f"budget is a time such as 90s, 10min or 1h; got '{budget}'.")
    return float(found[1]) * UNITS[found[2]]


class Budget:
    """A clock that was started when this was made, and the seconds on it that may be used."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` tells seconds."""
        self.seconds, self.clock = seconds, clock
        self._begin = clock()

    @property
    def spent(self) -> float:
        """Seconds."""
        return self.clock() - self._begin

    def holds(self, seconds: float = 0) -> bool:
        """Whether so many seconds more are left."""
        return self.spent + seconds <= self.seconds
