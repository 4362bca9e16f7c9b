"""Sequences that make their items on demand."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import TypeVar, overload

T = TypeVar("T")


class Lazy(Sequence[T]):
    """A sequence defined by its length and a method that makes an item."""

    @abstractmethod
    def make(self, row: int) -> T:
        """Make the item at a position from 0 on."""

    @overload
    def __getitem__(self, row: int) -> T: ...

    @overload
    def __getitem__(self, row: slice) -> list[T]: ...

    def __getitem__(self, row: int | slice) -> T | list[T]:
        if isinstance(row, slice):
            return [self.make(number) for number in range(*row.indices(len(self)))]
        return self.make(range(len(self))[row])  # handles negative positions, and raises IndexError
