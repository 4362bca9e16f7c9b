"""An MLflow client that repeats calls that fail for transient reasons: concurrent writers, an overloaded server."""

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

SECONDS_PER_CALL = 20.0
"""Time for which one call is repeated."""

SECONDS_PER_CONNECTION = 60.0
"""Time for which all calls of a connection are repeated: a server that is always overloaded counts as lost."""

LONGEST_PAUSE = 2.0

_TRANSIENT = re.compile(
    r"unique ?constraint|IntegrityError|duplicate key|Duplicate entry|database is locked|database table is locked"
    r"|deadlock|could not serialize|serialization failure|Lock wait timeout|already exists.*\(Background"
    r"|TEMPORARILY_UNAVAILABLE|RESOURCE_CONFLICT|RESOURCE_EXHAUSTED|REQUEST_LIMIT_EXCEEDED|too many connections"
    r"|too many clients|too many \d+ error responses|error code (?:408|409|429|502|503|504)|QueuePool limit",
    re.IGNORECASE | re.DOTALL,
)


def is_transient(error: BaseException) -> bool:
    """Return whether the same call may succeed a moment later; a server that does not answer at all is lost instead."""
    # What exists already continues to exist, though the message mentions a unique constraint too.
    exists = getattr(error, "error_code", "") == "RESOURCE_ALREADY_EXISTS"
    return not exists and bool(_TRANSIENT.search(str(error)))


def is_unanswered(error: BaseException) -> bool:
    """Return whether the server did not answer at all, so that further calls are pointless."""
    text = str(error)
    return not is_transient(error) and bool(re.search(r"API request to \S+ failed with (?:timeout )?exception", text))


def mlflow_errors() -> tuple[type[Exception], ...]:
    """Return the exceptions of a failing store; MLflow does not wrap those of SQLAlchemy and of requests."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    return MlflowException, SQLAlchemyError, OSError, sqlite3.Error


@dataclass
class Retries:
    """A budget of seconds for repeating calls."""

    budget: float = SECONDS_PER_CONNECTION
    """Seconds that are left."""

    def call(self, function: Callable[..., T], *arguments: Any, **named: Any) -> T:
        """Call a function, and repeat it after transient errors with growing pauses until the time is used up."""
        pause, left = 0.05, min(SECONDS_PER_CALL, self.budget)
        while True:
            begin = time.monotonic()
            try:
                return function(*arguments, **named)
            except mlflow_errors() as error:
                if left <= 0 or not is_transient(error):
                    raise
                time.sleep(pause * (0.5 + random.random()))  # random, so that two that collided do not collide again
                spent = time.monotonic() - begin
                left, self.budget = left - spent, self.budget - spent
                pause = min(2 * pause, LONGEST_PAUSE)


@dataclass
class _RetryingClient:
    """A client whose methods are called with retries."""

    client: "MlflowClient"
    retries: Retries = field(default_factory=Retries)

    def __getattr__(self, name: str) -> Any:
        """Return a method that retries; other attributes unchanged."""
        found = getattr(self.client, name)
        # Creating a run is not repeated: if only the answer was lost, there would be two.
        if not callable(found) or name == "create_run":
            return found
        return lambda *arguments, **named: self.retries.call(found, *arguments, **named)


def retrying_client(make: "Callable[[], MlflowClient]") -> "MlflowClient":
    """Return a client that is made, and whose methods are called, with retries."""
    retries = Retries()
    return cast("MlflowClient", _RetryingClient(retries.call(make), retries))
