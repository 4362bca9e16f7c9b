"""Standard output kept free for one JSON document."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

_for_json: list[bool] = []
"""Not empty while standard output is kept free."""


def is_for_json() -> bool:
    """Return whether standard output is kept free, so that results as text would be printed for nobody."""
    return bool(_for_json)


@contextmanager
def only_json() -> Iterator[Callable[[str], None]]:
    """Send to stderr for a block what it, its libraries and its child processes write to stdout.

    Yields a function that writes a text to stdout.
    """
    sys.stdout.flush()
    _for_json.append(True)
    kept = os.dup(1)
    os.dup2(2, 1)

    def show(text: str) -> None:
        with suppress(BrokenPipeError), os.fdopen(os.dup(kept), "w", encoding="utf-8") as out:
            out.write(text)

    try:
        yield show
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)
        _for_json.clear()
