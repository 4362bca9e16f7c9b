"""Sequences whose items are made when they are asked for."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import TypeVar, overload

T = TypeVar("T")


class Lazy(Sequence[T]):
    """A sequence by its length and the way to make an item."""

    @abstractmethod
    def make(self, row: int) -> T:
        """The item of a number from 0 on."""

    @overload
    def __getitem__(self, row: int) -> T: ...

    @overload
    def __getitem__(self, row: slice) -> list[T]: ...

    def __getitem__(self, row: int | slice) -> T | list[T]:
        if isinstance(row, slice):
            return [self.make(number) for number in range(*row.indices(len(self)))]
        return self.make(range(len(self))[row])  # from the end, or IndexError
