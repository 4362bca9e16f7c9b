"""Actors as this process sees them: opened, called, ended; what comes back is an event.

Ray itself is held by a process of its own (`driver.py`). When the head of a cluster dies, Ray ends the process that is
connected to it without an exception, so that no run could be closed; and it replaces the handlers of signals.
"""

import os
import pickle
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Self

from offshelf.cluster.messages import (
    NODE_DIED,
    Begin,
    Call,
    Command,
    Died,
    End,
    Event,
    Here,
    Note,
    Open,
    Refused,
    Returned,
    Stop,
    travelling,
)
from offshelf.cluster.ray_cluster import RayCluster
from offshelf.cluster.seat import Worker
from offshelf.errors import ConfigError, OffshelfError
from offshelf.process.signals import GRACE_SECONDS, held_back
from offshelf.terminal import say

LEAVE_SECONDS = 2 * GRACE_SECONDS
"""Seconds for actors to end their work and for Ray to leave, before its process is killed."""

STARTS = 4
"""Number of actors in a row that may die before they are there."""


@dataclass(frozen=True)
class Opened:
    """An actor that can be called."""

    seat: int


@dataclass(frozen=True)
class Answer:
    """What a call has returned."""

    seat: int
    call: int
    value: Any


@dataclass(frozen=True)
class Gone:
    """An actor has died, and its calls with it."""

    seat: int
    why: str


class Seats:
    """Actors of a cluster, as a context: at its end nothing is left running on the cluster."""

    def __init__(self, cluster: RayCluster, make: Callable[[], Worker]) -> None:
        """Take a picklable function that makes what calls go to, in the actor.

        Raises:
            ConfigError: Ray is not installed.
        """
        require_ray()
        self._log = TemporaryFile()  # noqa: SIM115 - closed by `close`
        ours, theirs = socket.socketpair()
        with held_back(), theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "offshelf.cluster.driver", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                start_new_session=True,  # Ctrl-C is for this process, which passes it on
                env={**os.environ, "RAY_USAGE_STATS_ENABLED": "0", "PYTHONPATH": _path()},
            )
        self._connection: Connection[Command, Event] = Connection(ours.detach())
        self._where = cluster.found_at or "this machine"
        self._seats = self._calls = self._stillborn = 0
        self._opened: set[int] = set()
        self._send(Begin(cluster, pickled(make), travelling()))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self, count: int) -> None:
        """Ask for actors; each comes as Opened once the cluster has room for it."""
        self._send(Open(tuple(range(self._seats, self._seats + count))))
        self._seats += count

    def call(self, seat: int, arguments: Any) -> int:
        """Call an actor. Returns the number of the call, under which its Answer comes."""
        self._calls += 1
        self._send(Call(seat, self._calls, pickled(arguments)))
        return self._calls

    def end(self, seat: int) -> None:
        """Let go of an idle actor and its resources."""
        self._send(End(seat))

    def events(self) -> Iterator[Opened | Answer | Gone]:
        """Yield what happens, without end; actors that die before they are Opened are replaced.

        Raises:
            ConfigError: The cluster cannot be used.
            OffshelfError: The cluster is gone.
            BaseException: What a call has raised.
        """
        while True:
            match self._receive():
                case Here(seat):
                    self._opened.add(seat)
                    self._stillborn = 0
                    yield Opened(seat)
                case Returned(seat, call, value):
                    result, error = pickle.loads(value)
                    if error is not None:
                        raise error
                    yield Answer(seat, call, result)
                case Died(seat, why) if seat in self._opened:
                    yield Gone(seat, why)
                case Died(_, why):
                    self._try_again(why)
                case Note(text):
                    say(text, stderr=True)
                case Refused(why):
                    raise ConfigError(why)

    def _try_again(self, why: str) -> None:
        """Open an actor in place of one that died before it was there."""
        self._stillborn += why != NODE_DIED  # which says nothing of other nodes
        if self._stillborn >= STARTS:
            raise OffshelfError(f"Ray cannot start a process on the cluster at {self._where}: {why}.")
        self.open(1)

    def close(self) -> None:
        """End what is running: each worker is asked to stop, and killed where it does not."""
        with suppress(OSError):  # it has died
            self._connection.send(Stop())
        try:
            self._process.wait(LEAVE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        finally:
            self._connection.close()
            self._log.close()

    def _send(self, command: Command) -> None:
        try:
            self._connection.send(command)
        except OSError as error:
            raise self._lost() from error

    def _receive(self) -> Event:
        try:
            return self._connection.recv()
        except (EOFError, OSError) as error:
            raise self._lost() from error

    def _lost(self) -> OffshelfError:
        self._process.wait(LEAVE_SECONDS)
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        raised = [line for line in lines if re.match(r"[\w.]+(Error|Exception): ", line)]
        why = raised[-1] if raised else "its head does not answer"  # for which Ray ends its process
        return OffshelfError(
            f"The Ray cluster at {self._where} is gone: {why[:300].rstrip('.')}. What was finished is kept: the same "
            "command goes on from there."
        )


def pickled(thing: Any) -> bytes:
    """Pickle; what the main program defines travels with it, as it does with joblib."""
    import cloudpickle

    data: bytes = cloudpickle.dumps(thing)
    return data


def require_ray() -> None:
    """Raise ConfigError where Ray is not installed."""
    from importlib.util import find_spec

    if find_spec("ray") is None:
        raise ConfigError("Ray is not installed: pip install 'offshelf[ray]'")


def _path() -> str:
    """Return where this process finds modules beside Python's own, for its child and for actors on this machine."""
    own = (sys.prefix, sys.base_prefix)
    folders = [str(Path(folder).absolute()) for folder in sys.path]
    return os.pathsep.join(dict.fromkeys(folder for folder in folders if not folder.startswith(own)))
