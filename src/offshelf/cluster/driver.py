"""The process that is connected to Ray: `python -m offshelf.cluster.driver FD`. See `Seats`, which starts it.

It leaves when it is told to, or when the other end of its pipe is closed, which death of any kind does.
"""

import logging
import os
import signal
import socket
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
from offshelf.cluster.ray_cluster import GIB, RayCluster
from offshelf.cluster.seat import Seat, node_releases
from offshelf.process.cores import usable_cores
from offshelf.process.signals import GRACE_SECONDS, LEAVE_SIGNALS

CALLS_AT_ONCE = 8
"""Calls that an actor can hold, beside one that stops it."""

LOCAL = "local"
"""Address of a cluster that is started here, whatever others there are."""

ANSWER_SECONDS = 10.0
"""Seconds that a head has to accept a connection."""

PATIENCE_SECONDS = 15.0
"""Seconds without an actor after which the user is told what is waited for."""

CHECK_SECONDS = 60.0
"""Seconds that nodes have to say which releases they have: a first process on a node may be slow to start."""


class Driver:
    """The actors of one client. Everything that calls Ray is done in the main thread: callbacks of Ray may not."""

    def __init__(self, connection: "Connection[Event, Command]", begin: Begin) -> None:
        self.connection, self.begin, self.cluster = connection, begin, begin.cluster
        self.actors: dict[int, Any] = {}
        self.waiting: set[int] = set()
        """Actors that have not started."""
        self._to_do: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._is_connected = False

    def serve(self) -> None:
        """Connect, and do what commands say, until there are no more."""
        threading.Thread(target=self._read, daemon=True).start()
        if why := connect(self.cluster):
            self.send(Refused(why))
            return
        self._is_connected = True
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

    def _greet(self, seat: int, found: dict[str, str]) -> None:
        self.waiting.discard(seat)
        differing = difference(found, "a node of the Ray cluster")
        self.send(Refused(differing) if differing else Here(seat))

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


def connect(cluster: RayCluster) -> str:
    """Connect to the cluster, or start one. Returns why it cannot be used; empty if it can."""
    address = address_of(cluster)
    is_local = address == LOCAL
    here: dict[str, Any] = {"num_cpus": len(usable_cores()), "include_dashboard": False} if is_local else {}
    try:
        require_answer(address)
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **here)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        return cannot_connect(address, error)
    finally:
        for number in (signal.SIGINT, *LEAVE_SIGNALS):  # Ray sets its own
            signal.signal(number, signal.SIG_IGN)
    return (impossible(cluster, ray.nodes()) if is_local else "") or other_releases()


def address_of(cluster: RayCluster) -> str:
    """Return the address for Ray; that of `ray job submit` is in RAY_ADDRESS."""
    return cluster.address or os.environ.get("RAY_ADDRESS") or LOCAL


def require_answer(address: str) -> None:
    """Raise OSError where nothing listens at host:port, for which Ray itself would wait for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), ANSWER_SECONDS).close()


def cannot_connect(address: str, error: BaseException) -> str:
    """Return in one sentence why a connection has failed."""
    text = " ".join(str(error).split())
    if "Version mismatch" in text or "version" in text.lower():
        return f"The Ray cluster at {address} has other versions than this process; install the same here: {text[:300]}"
    if "Failed to connect" in text:  # though something listens there
        return (
            f"The Ray cluster at {address} does not accept this process. If it wants a token: RAY_AUTH_MODE=token, and "
            "the same token as there in RAY_AUTH_TOKEN or ~/.ray/auth_token."
        )
    start = "start one with `ray start --head`, or leave the address null for this machine alone"
    return f"There is no Ray cluster at {address} ({text[:200].rstrip('.')}); {start}."


def impossible(cluster: RayCluster, nodes: list[dict[str, Any]]) -> str:
    """Return in one sentence that no node can ever give what an actor takes; empty if one can."""
    alive = [node["Resources"] for node in nodes if node["Alive"]]
    if any(all(node.get(name, 0) >= value for name, value in cluster.demand.items()) for node in alive):
        return ""
    kinds = "; ".join(dict.fromkeys(map(described, alive)))
    return (
        f"No node of the Ray cluster has {cluster.wanted}, so that jobs wait until one joins; nodes have {kinds}. "
        "Ask for less (cpus, gpus, memory_gb, resources), or add such a node."
    )


def described(node: dict[str, float]) -> str:
    """Return the resources of a node in words, without those that name it."""
    own = {"CPU": "cpus", "GPU": "gpus", "memory": "memory_gb"}
    amounts = [
        f"{own.get(name, name)}={value / GIB if name == 'memory' else value:.4g}"
        for name, value in sorted(node.items())
        if not name.startswith(("node:", "object_store_memory"))
    ]
    return " ".join(amounts) or "nothing"


def other_releases() -> str:
    """Ask all nodes for their releases. Returns in one sentence where one differs; empty if none does."""
    alive = [node for node in ray.nodes() if node["Alive"]]
    ask = ray.remote(num_cpus=0, max_retries=0)(node_releases)
    asked = {
        ask.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)).remote(): node
        for node in alive
    }
    done, _ = ray.wait(list(asked), num_returns=len(asked), timeout=CHECK_SECONDS)
    for reference in done:
        where = f"node {asked[reference]['NodeManagerAddress']} of the Ray cluster"
        try:
            found = ray.get(reference)
        except RayError as error:
            if "No module named 'offshelf" in str(error):
                return f"There is no offshelf on {where}: install the release of this machine there."
            continue  # it has died, say; an actor that starts there is asked again
        if differing := difference(found, where):
            return differing
    return ""


def difference(found: dict[str, str], where: str) -> str:
    """Return in one sentence how releases differ from those here; empty if they do not."""
    here = node_releases()
    pairs = [
        f"{name} {found[name] or 'none'} (here {here[name] or 'none'})" for name in here if found[name] != here[name]
    ]
    return f"{where[0].upper()}{where[1:]} has {', '.join(pairs)}: install the same on all machines." if pairs else ""


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
