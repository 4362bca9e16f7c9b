"""Jobs on a Ray cluster: an actor for each place, in which a process of its own works on one piece after the other.

That process ends cleanly on a signal and when the actor or its node's Ray dies, which Ray's own workers do not.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from typing_extensions import override

from offshelf.cluster import Answer, Gone, Opened, RayCluster, Seats, pickled
from offshelf.launcher.launcher import Launcher, Lost, Piece, Work
from offshelf.launcher.work_seat import Death, Result, WorkSeat

LOG = "worker.log"
"""File in a job's folder with what it has written on the terminal of its worker."""


@dataclass(frozen=True)
class Ray(RayCluster, Launcher):
    """Launcher that runs pieces on a Ray cluster."""

    @override
    def run(self, pieces: Sequence[Piece], work: Work, folder: Path) -> Generator[tuple[Any, Any], None, None]:
        make = partial(WorkSeat, pickled(work), self.threads)
        with Seats(self, make) as seats:
            yield from Turns(self, seats, folder).run(pieces)


@dataclass
class Turn:
    """Items of a piece that are left, the first of them at work or next."""

    items: list[Any]
    deaths: int = 0
    """How often the first item was lost."""
    is_begun: bool = False
    """Whether the process of the seat has the piece already."""


@dataclass
class Turns:
    """The pieces of one launch, and the actors that work on them."""

    cluster: RayCluster
    seats: Seats
    folder: Path
    left: list[Turn] = field(default_factory=list)
    """Turns that no actor has, the next one last."""
    busy: dict[int, Turn] = field(default_factory=dict)

    def run(self, pieces: Sequence[Piece]) -> Generator[tuple[Any, Any], None, None]:
        """Yield items and results. The longest pieces are begun first: they would otherwise end last."""
        self.left = [Turn(list(piece)) for piece in sorted(reversed(pieces), key=len)]
        if self.left:
            self.seats.open(min(self.cluster.jobs, len(self.left)))
        for event in self.seats.events() if self.left else ():
            match event:
                case Opened(seat):
                    self._give(seat)
                case Answer(seat, _, result):
                    yield from self._take(self.busy.pop(seat), result)
                    self._give(seat)
                case Gone(seat, why):
                    yield from self._bury(seat, why)
            if not (self.left or self.busy):
                return

    def _give(self, seat: int) -> None:
        """Have an actor do what is next, the rest of its piece first; without anything, it is let go."""
        if not self.left:
            self.seats.end(seat)
            return
        turn = self.busy[seat] = self.left.pop()
        self.seats.call(seat, None if turn.is_begun else pickled(turn.items))
        turn.is_begun = True

    def _take(self, turn: Turn, result: Result) -> Generator[tuple[Any, Any], None, None]:
        """Yield the first item of a turn, and put back what is left of it."""
        self._keep_log(turn.items[0], result.log)
        value = result.value
        if isinstance(value, Death):
            turn.is_begun = False
            turn.deaths += 1
            if value.is_chance and turn.deaths <= self.cluster.retries:
                self.left.append(turn)
                return
            value = Lost(value.why)
        yield turn.items.pop(0), value
        turn.deaths = 0
        if turn.items:
            self.left.append(turn)

    def _bury(self, seat: int, why: str) -> Generator[tuple[Any, Any], None, None]:
        """Replace an actor that has died, and do again what it did."""
        turn = self.busy.pop(seat, None)
        if turn:
            yield from self._take(turn, Result(Death(why)))
        if self.left:
            self.seats.open(1)

    def _keep_log(self, item: Any, text: str) -> None:
        if not text:
            return
        folder: Path = getattr(item, "folder", self.folder / "ray")
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / LOG).open("a", encoding="utf-8") as file:
            file.write(text)
