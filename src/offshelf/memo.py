"""What jobs of a sweep have in common: made once, by the first that needs it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from offshelf.identity import array_digest

LIMIT = 2 << 30
"""Bytes that are kept; what would be beyond is made by each job, as if it were alone."""

T = TypeVar("T")


@dataclass(eq=False)
class Memo:
    """Results by all that they are made from, so that nothing but time depends on it; it forgets none."""

    limit: int = LIMIT
    held: int = 0
    """Bytes."""
    results: dict[tuple[str, ...], Any] = field(default_factory=dict)


_MEMO: ContextVar[Memo | None] = ContextVar("memo", default=None)


@contextmanager
def sharing(memo: Memo) -> Iterator[None]:
    """What `once` makes in this block, in this thread, is kept in the memo, and looked for there."""
    token = _MEMO.set(memo)
    try:
        yield
    finally:
        _MEMO.reset(token)


def once(make: Callable[[], T], *identity: Any) -> T:
    """What `make` returns, made anew unless jobs share it: then nobody may change it.

    Args:
        make: Its result depends on nothing but `identity`.
        identity: Arrays count with their contents, other things with their `repr`.
    """
    memo = _MEMO.get()
    if memo is None:
        return make()
    name = tuple(array_digest(part) if isinstance(part, np.ndarray) else repr(part) for part in identity)
    if name in memo.results:
        found: T = memo.results[name]
        return found
    made = make()
    size = _size(made)
    if memo.held + size <= memo.limit:
        memo.held += size
        memo.results[name] = made
    return made


def _size(thing: Any) -> int:
    """Bytes of arrays, or of what says so itself, and of containers of them; other things are small."""
    if isinstance(thing, dict):
        return _size(list(thing.values()))
    if isinstance(thing, list | tuple):
        return sum(map(_size, thing))
    return int(getattr(thing, "nbytes", 0))
