"""The process that is connected to Ray: `python -m offshelf.cluster.driver FD`. See `Seats`, which starts it.

It leaves when it is told to, or when the other end of its pipe is closed, which death of any kind does.
"""

import os
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Any

import ray
from ray.exceptions import ActorUnavailableError, OutOfMemoryError, RayError, RuntimeEnvSetupError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from offshelf.cluster.connection import LOCAL, address_of, connect, difference, impossible
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
)
from offshelf.cluster.seat import Seat, node_releases
from offshelf.process.signals import GRACE_SECONDS

CALLS_AT_ONCE = 8
"""Calls that an actor can hold, beside one that stops it."""

PATIENCE_SECONDS = 15.0
"""Seconds without an actor after which the user is told what is waited for."""

CHECK_SECONDS = 60.0
"""Seconds that nodes have to tell their releases: a first process on a node may be slow to start."""


class Driver:
    """The actors of one client. Everything that calls Ray is done in the main thread: callbacks of Ray may not."""

    def __init__(self, connection: "Connection[Event, Command]", begin: Begin) -> None:
        self.connection, self.begin, self.cluster = connection, begin, begin.cluster
        self.actors: dict[int, Any] = {}
        self.waiting: set[int] = set()
        """Actors that have not started."""
        self._asked: set[str] = set()
        """Nodes that have not told their releases."""
        self._held: list[int] = []
        """Actors that have started before all nodes have told their releases."""
        self._to_do: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._is_connected = False

    def serve(self) -> None:
        """Connect, and do what commands say, until there are no more."""
        threading.Thread(target=self._read, daemon=True).start()
        if why := connect(self.cluster):
            self.send(Refused(why))
            return
        self._is_connected = True
        self._ask_nodes()
        while work := self._to_do.get():
            work()

    def open(self, seats: Sequence[int]) -> None:
        """Ask for actors."""
        demand = self.cluster.demand
        options = {
            "num_cpus": demand["CPU"],
            "num_gpus": demand.get("GPU", 0),
            "memory": demand.get("memory"),
            "resources": {name: value for name, value in demand.items() if name not in ("CPU", "GPU", "memory")},
            "runtime_env": dict(self.cluster.runtime_env) or None,
            "max_concurrency": CALLS_AT_ONCE + 1,
            "max_restarts": 0,
        }
        make: Any = ray.remote(Seat)
        if not self.waiting:
            self._later(PATIENCE_SECONDS, self._complain)
        for seat in seats:
            actor = make.options(**options).remote(self.begin.make, dict(self.begin.environment))
            self.actors[seat] = actor
            self.waiting.add(seat)
            self._then(actor.hello.remote(), seat, partial(self._greet, seat))

    def call(self, seat: int, call: int, arguments: bytes) -> None:
        """Call an actor; what comes is sent as soon as it is there."""
        if seat in self.actors:  # else it has died, which the client is told or will be
            reference = self.actors[seat].call.remote(arguments)
            self._then(reference, seat, lambda value: self.send(Returned(seat, call, value)))

    def release(self, seat: int) -> None:
        """Let go of an actor that is idle: its worker puts away what it has."""
        actor = self.actors.pop(seat, None)
        if actor is not None:
            actor.stop.remote().future().add_done_callback(lambda _: self._to_do.put(lambda: _kill(actor)))

    def end(self, seat: int) -> None:
        """Kill an actor."""
        self.waiting.discard(seat)
        actor = self.actors.pop(seat, None)
        if actor is not None:
            _kill(actor)

    def leave(self) -> None:
        """End what is running: workers are asked, and then killed with all that Ray has started here."""
        if not ray.is_initialized():
            return
        with suppress(RayError):
            asked = [actor.stop.remote() for seat, actor in self.actors.items() if seat not in self.waiting]
            if asked:
                ray.wait(asked, num_returns=len(asked), timeout=GRACE_SECONDS)
        for seat in list(self.actors):
            self.end(seat)
        ray.shutdown()

    def send(self, event: Event) -> None:
        """Send an event; nobody may be there any more."""
        with suppress(OSError):
            self.connection.send(event)

    def _read(self) -> None:
        with suppress(EOFError, OSError):
            while work := self._work(self.connection.recv()):
                self._to_do.put(work)
        if not self._is_connected and address_of(self.cluster) != LOCAL:
            os._exit(0)  # Ray tries for minutes to reach a head that does not answer
        self._to_do.put(None)

    def _work(self, command: Command) -> Callable[[], None] | None:
        match command:
            case Open(seats):
                return lambda: self.open(seats)
            case Call(seat, call, arguments):
                return lambda: self.call(seat, call, arguments)
            case End(seat):
                return lambda: self.release(seat)
        return None

    def _then(self, reference: Any, seat: int, work: Callable[[Any], None]) -> None:
        """Do work with what an actor returns, or tell that it has died."""

        def come(done: Any) -> None:
            error = done.exception()
            self._to_do.put((lambda: work(done.result())) if error is None else (lambda: self._gone(seat, error)))

        reference.future().add_done_callback(come)

    def _ask_nodes(self) -> None:
        """Ask all nodes for their releases; no actor is called before they have answered."""
        ask: Any = ray.remote(num_cpus=0, max_retries=0)(node_releases)
        nodes = {node["NodeID"]: node["NodeManagerAddress"] for node in ray.nodes() if node["Alive"]}
        self._asked = set(nodes)
        for node, where in nodes.items():
            there = NodeAffinitySchedulingStrategy(node, soft=False)
            come = partial(self._compare, node, f"node {where} of the Ray cluster")
            future = ask.options(scheduling_strategy=there).remote().future()
            future.add_done_callback(lambda done, come=come: self._to_do.put(lambda: come(done)))
        self._later(CHECK_SECONDS, self._let_go)

    def _compare(self, node: str, where: str, done: Any) -> None:
        error = done.exception()
        if error is None and (differing := difference(done.result(), where)):
            self.send(Refused(differing))
        elif "No module named 'offshelf" in str(error):
            self.send(Refused(f"There is no offshelf on {where}: install the release of this machine there."))
        else:  # a node that has died, say, is asked again by an actor that starts there
            self._asked.discard(node)
            if not self._asked:
                self._let_go()

    def _let_go(self) -> None:
        self._asked.clear()
        for seat in self._held:
            self.send(Here(seat))
        self._held.clear()

    def _greet(self, seat: int, found: dict[str, str]) -> None:
        self.waiting.discard(seat)
        if differing := difference(found, "a node of the Ray cluster"):
            self.send(Refused(differing))
        elif self._asked:
            self._held.append(seat)
        else:
            self.send(Here(seat))

    def _gone(self, seat: int, error: BaseException) -> None:
        """Tell once that an actor has died. One that cannot be reached may still run: it is killed."""
        if seat in self.actors:
            self.end(seat)
            self.send(Died(seat, reason(error)))

    def _later(self, seconds: float, work: Callable[[], None]) -> None:
        timer = threading.Timer(seconds, self._to_do.put, (work,))
        timer.daemon = True
        timer.start()

    def _complain(self) -> None:
        """Tell what is waited for, if no actor has started."""
        if self.waiting and len(self.waiting) == len(self.actors):
            problem = impossible(self.cluster, ray.nodes())
            self.send(Note(problem or f"Waiting for room on the Ray cluster: {self.cluster.wanted}"))


def _kill(actor: Any) -> None:
    with suppress(RayError):
        ray.kill(actor)


def reason(error: BaseException) -> str:
    """Return in a few words why an actor has died."""
    text = " ".join(str(error).split())
    if "node has died" in text or "node is dead" in text or isinstance(error, ActorUnavailableError):
        return NODE_DIED  # or cannot be reached, which is the same from here
    if isinstance(error, OutOfMemoryError) or "running low on memory" in text:
        return "memory ran out on its node"
    if isinstance(error, RuntimeEnvSetupError):
        return f"its runtime_env cannot be set up ({text[:300]})"
    return f"its process died ({type(error).__name__})"


def main() -> None:
    """Serve the client at the other end of the pipe."""
    connection: Connection[Event, Command] = Connection(int(sys.argv[1]))
    begin = connection.recv()
    assert isinstance(begin, Begin)
    driver = Driver(connection, begin)
    try:
        driver.serve()
    finally:
        driver.leave()


if __name__ == "__main__":
    main()
