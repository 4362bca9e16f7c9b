"""Small functions for work on Ray, which actors import."""

import os
import signal
import sys
import time


def square(piece):
    yield from (number**2 for number in piece)


def where(piece):
    """The process, its threads, and what it has in mind of the piece."""
    mind = []
    for number in piece:
        mind.append(number)
        print(f"number {number}")
        print("warned", file=sys.stderr, flush=True)
        yield os.getpid(), os.environ["OMP_NUM_THREADS"], tuple(mind)


def die(folder, piece):
    """Number 1 dies once, 2 always, 3 leaves Python."""
    for number in piece:
        with (folder / f"tries of {number}").open("a") as file:
            file.write(".")
        if number == 2 or (number == 1 and (folder / "tries of 1").read_text() == "."):
            os.kill(os.getpid(), signal.SIGKILL)
        if number == 3:
            sys.exit(3)
        yield number


def nap(folder, piece):
    """A nap that leaves word of how it ends."""
    for number in piece:
        (folder / f"{number}").write_text(str(os.getpid()))
        try:
            if number:
                time.sleep(100)
        except BaseException as error:
            (folder / f"end of {number}").write_text(repr(error))
            raise
        yield number
