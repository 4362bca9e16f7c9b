"""Images that behave otherwise in an actor of Ray, which imports them."""

import os
import signal
from dataclasses import dataclass
from pathlib import Path

from offshelf.dataset import ImageArray
from offshelf.errors import ImageError


def is_in_actor():
    """Whether this is a worker of Ray, not the driver."""
    return "RAY_RAYLET_PID" in os.environ


@dataclass(frozen=True, eq=False)
class Deadly(ImageArray):
    """An image that kills its process so often."""

    tries: Path = Path()
    often: int = 1

    def load(self):
        with self.tries.open("a") as file:
            file.write(".")
        if is_in_actor() and len(self.tries.read_text()) <= self.often:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().load()


@dataclass(frozen=True, eq=False)
class Unseen(ImageArray):
    """An image that nodes do not see."""

    def load(self):
        if is_in_actor():
            raise ImageError("/data/1.jpg cannot be read: No such file or directory.")
        return super().load()


@dataclass(frozen=True, eq=False)
class Broken(ImageArray):
    """An image that cannot be decoded anywhere."""

    def load(self):
        raise ImageError("2.jpg cannot be read as an image: it ends early.")
