"""A quick check that a store can be reached, before paying for MLflow's import and its own retries."""

import os
import re
import socket
import warnings
from urllib.parse import urlsplit

from offshelf.errors import TrackingError
from offshelf.secret import MASK, is_masked, masked

DATABASES = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}
"""Database servers that MLflow supports, with their default ports."""

TIMEOUT = 4
"""Seconds that a server has to answer; with the time to start, an unreachable one is reported within 5."""

WITHOUT = "To continue without it: tracking=offline, to send the run later, or tracking=none"


def require_reachable(uri: str) -> None:
    """Check that a store can be reached.

    Raises:
        TrackingError: The URI is not that of a store, or the store does not answer within TIMEOUT.
    """
    scheme, _, _ = uri.partition(":")
    dialect, _, _ = scheme.partition("+")
    if dialect in ("http", "https"):
        _request_health(uri)
    elif dialect in DATABASES:
        _open_port(uri, DATABASES[dialect])
    elif dialect != "sqlite":
        raise TrackingError(
            f"tracking.uri={masked(uri)} is not a tracking store: expected http(s)://…, sqlite:///…, or the URI of a "
            "database. (MLflow no longer supports plain folders.)"
        )


def with_password(uri: str) -> str:
    """Return the URI of a record, whose password is masked, in a form that takes the password from the environment.

    Raises:
        TrackingError: The URI had a password, and the environment has none.
    """
    if not is_masked(uri):
        return uri
    address = urlsplit(uri)
    user, _, host = address.netloc.rpartition("@")
    name = user.partition(":")[0]
    if address.scheme.startswith("http") and is_masked(user) and not is_masked(host + address.query):
        if os.environ.get("MLFLOW_TRACKING_TOKEN") or os.environ.get("MLFLOW_TRACKING_PASSWORD"):
            os.environ.setdefault("MLFLOW_TRACKING_USERNAME", name)
            return address._replace(netloc=host).geturl()
    elif user == f"{name}:{MASK}" and not is_masked(address.query) and os.environ.get("PGPASSWORD"):
        return address._replace(netloc=f"{name}@{host}").geturl()
    raise TrackingError(
        f"The password of {uri} is not recorded: give the whole address again, with tracking.uri=…, or the password in "
        "MLFLOW_TRACKING_PASSWORD (of a server) or PGPASSWORD (of PostgreSQL)."
    )


def _request_health(uri: str) -> None:
    """Request the health of a server with the client and the settings (certificates, proxies) that MLflow will use."""
    import requests

    insecure = os.environ.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower() in ("true", "1")
    verify = False if insecure else os.environ.get("MLFLOW_TRACKING_SERVER_CERT_PATH") or True
    certificate = os.environ.get("MLFLOW_TRACKING_CLIENT_CERT_PATH")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it is insecure, which the user asked for
            address = f"{uri.rstrip('/')}/health"
            answer = requests.get(address, timeout=TIMEOUT, verify=verify, cert=certificate, stream=True)
        answer.close()  # it answers; whether it accepts the password, the first call will tell
    except (OSError, ValueError) as error:  # those of requests are OSErrors
        raise _unreachable(uri, _cause(error)) from error


def _cause(error: Exception) -> str:
    """Return the cause in a few words; the message of requests includes the whole chain of calls."""
    text = str(error)
    untrusted = re.search(r"certificate verify failed: ([^(]+)", text)
    if untrusted:
        return f"{untrusted[1].strip()}; if it is your own, name it: MLFLOW_TRACKING_SERVER_CERT_PATH=FILE"
    if "timed out" in text:
        return "timed out"
    return text.rpartition("] ")[2].rstrip("\"')") if "] " in text else text


def _open_port(uri: str, port: int) -> None:
    """Open the port of a database server; MLflow itself would try for minutes."""
    try:
        address = urlsplit(uri)
        if address.hostname:
            socket.create_connection((address.hostname, address.port or port), TIMEOUT).close()
    except (OSError, ValueError) as error:
        raise _unreachable(uri, str(error)) from error


def _unreachable(uri: str, reason: str) -> TrackingError:
    return TrackingError(
        f"No MLflow server answers at {masked(uri)} ({masked(reason)}). Start it, or correct tracking.uri. {WITHOUT}"
    )
