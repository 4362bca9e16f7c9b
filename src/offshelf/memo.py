"""Results that jobs of a sweep share: each is computed once, by the first job that needs it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from offshelf.identity import array_digest

LIMIT = 2 << 30
"""Bytes to keep; results beyond that are computed by each job."""

T = TypeVar("T")


@dataclass(eq=False)
class Memo:
    """Computed results, by everything they depend on. A memo affects time only, and never forgets a result."""

    limit: int = LIMIT
    held: int = 0
    """Bytes."""
    results: dict[tuple[str, ...], Any] = field(default_factory=dict)


_MEMO: ContextVar[Memo | None] = ContextVar("memo", default=None)


@contextmanager
def sharing(memo: Memo) -> Iterator[None]:
    """Keep results of `once` in the memo, and look them up there, in this block and this thread."""
    token = _MEMO.set(memo)
    try:
        yield
    finally:
        _MEMO.reset(token)


def once(make: Callable[[], T], *identity: Any) -> T:
    """Return `make()`, or the shared result inside a `sharing` block. Shared results must not be modified.

    Args:
        make: Function whose result depends on nothing but `identity`.
        identity: Inputs of the result. Arrays are compared by contents, other things by their `repr`.
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
    """Return the bytes of arrays, objects with `nbytes`, and containers of them; other things count as 0."""
    if isinstance(thing, dict):
        return _size(list(thing.values()))
    if isinstance(thing, list | tuple):
        return sum(map(_size, thing))
    return int(getattr(thing, "nbytes", 0))
