"""MLflow's client, patient with what passes by itself: other runs that write at the same moment, a server in demand."""

import random
import re
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

T = TypeVar("T")

SECONDS = 20.0
"""That one call is repeated for."""

BUDGET = 60.0
"""Seconds that all calls of a connection are repeated for: a server that is always too busy is as good as lost."""

LONGEST_PAUSE = 2.0

_PASSES = re.compile(
    r"unique ?constraint|IntegrityError|duplicate key|Duplicate entry|database is locked|database table is locked"
    r"|deadlock|could not serialize|serialization failure|Lock wait timeout|already exists.*\(Background"
    r"|TEMPORARILY_UNAVAILABLE|RESOURCE_CONFLICT|RESOURCE_EXHAUSTED|REQUEST_LIMIT_EXCEEDED|too many connections"
    r"|too many clients|too many \d+ error responses|error code (?:408|409|429|502|503|504)|QueuePool limit",
    re.IGNORECASE | re.DOTALL,
)


def passes(error: BaseException) -> bool:
    """Whether the same call may succeed a moment later; a server that does not answer at all is lost instead."""
    # What is there already stays there, though its text tells of a unique constraint too.
    is_there = getattr(error, "error_code", "") == "RESOURCE_ALREADY_EXISTS"
    return not is_there and bool(_PASSES.search(str(error)))


def is_silence(error: BaseException) -> bool:
    """Whether nobody has answered, so that there is nothing to be asked further."""
    text = str(error)
    return not passes(error) and bool(re.search(r"API request to \S+ failed with (?:timeout )?exception", text))


def failures() -> tuple[type[Exception], ...]:
    """What MLflow raises when it does not take something; that of SQLAlchemy and of requests it lets through."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    return MlflowException, SQLAlchemyError, OSError, sqlite3.Error


@dataclass
class Patience:
    """Time to repeat calls in."""

    budget: float = BUDGET
    """Seconds that are left."""

    def call(self, function: Callable[..., T], *arguments: Any, **named: Any) -> T:
        """Call a function, again where what it raises passes: with growing pauses, for a bounded time."""
        pause, left = 0.05, min(SECONDS, self.budget)
        while True:
            begin = time.monotonic()
            try:
                return function(*arguments, **named)
            except failures() as error:
                if left <= 0 or not passes(error):
                    raise
                time.sleep(pause * (0.5 + random.random()))  # those that have met must not meet again
                spent = time.monotonic() - begin
                left, self.budget = left - spent, self.budget - spent
                pause = min(2 * pause, LONGEST_PAUSE)


@dataclass
class Patient:
    """All that a client can do, by its names."""

    client: "MlflowClient"
    patience: Patience = field(default_factory=Patience)

    def __getattr__(self, name: str) -> Any:
        """A method that is called with patience; what is no method, as it is."""
        found = getattr(self.client, name)
        if not callable(found) or name == "create_run":  # it would be there twice, where its answer was lost
            return found
        return lambda *arguments, **named: self.patience.call(found, *arguments, **named)


def patient(make: "Callable[[], MlflowClient]") -> "MlflowClient":
    """A client, made and used with patience."""
    patience = Patience()
    return cast("MlflowClient", Patient(patience.call(make), patience))
