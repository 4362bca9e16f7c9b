"""The actor: it passes arguments to what it was made with, and sends back what comes."""

import os
import pickle
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Protocol

PACKAGES = ("offshelf", "torch")
"""Packages that must have one release on all nodes; Ray itself compares its own and Python's."""


class Worker(Protocol):
    """What the calls of an actor go to. Several may run at once, in threads."""

    def call(self, arguments: Any) -> Any:
        """Return the result; exceptions come out of `Seats` on the other side."""

    def stop(self) -> None:
        """End what is running, from another thread."""


class Seat:
    """A class whose instances are actors."""

    def __init__(self, make: bytes, environment: Mapping[str, str]) -> None:
        os.environ.update(environment)
        self.worker: Worker = pickle.loads(make)()

    def hello(self) -> dict[str, str]:
        """Return the releases of this node."""
        return node_releases()

    def call(self, arguments: bytes) -> bytes:
        """Call the worker. Returns its result, or what it raised, pickled."""
        try:
            return pickle.dumps((self.worker.call(pickle.loads(arguments)), None))
        except BaseException as error:  # Ray would end the actor on SystemExit, and alters other exceptions
            return _pickled(error)

    def stop(self) -> None:
        """End what is running."""
        self.worker.stop()


def node_releases() -> dict[str, str]:
    """Return the releases of Python and of PACKAGES; empty where one is missing."""
    found = {"Python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = ""
    return found


def _pickled(error: BaseException) -> bytes:
    try:
        data = pickle.dumps((None, error))
        pickle.loads(data)
    except Exception:
        return pickle.dumps((None, RuntimeError(f"{type(error).__name__}: {error}")))
    return data
