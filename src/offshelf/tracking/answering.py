"""Whether a store is there at all, asked before MLflow is imported and whatever it does is waited for."""

import os
import re
import socket
import warnings
from urllib.parse import urlsplit

from offshelf.errors import TrackingError
from offshelf.secret import MASK, is_masked, masked

DATABASES = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}
"""Database servers that MLflow knows, and the ports they listen at."""

PATIENCE = 4
"""Seconds that a server has to answer at the start; with the start itself a dead one is known in 5."""

WITHOUT = "To go on without it: tracking=offline, to be sent later, or tracking=none"


def require_answer(uri: str) -> None:
    """Ask a store whether it is there.

    Raises:
        TrackingError: it is no URI of a store, or does not answer within PATIENCE.
    """
    scheme, _, _ = uri.partition(":")
    dialect, _, _ = scheme.partition("+")
    if dialect in ("http", "https"):
        _probe(uri)
    elif dialect in DATABASES:
        _knock(uri, DATABASES[dialect])
    elif dialect != "sqlite":
        raise TrackingError(
            f"tracking.uri={masked(uri)} is no tracking store: expected http(s)://…, sqlite:///…, or a database URI. "
            "(MLflow has retired plain folders.)"
        )


def with_secret(uri: str) -> str:
    """A URI as a record has it, without its password, as it can be used where the environment has the password.

    Raises:
        TrackingError: it had one, and the environment has none.
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
        f"The password of {uri} is on no record: give the whole address again, with tracking.uri=…, or the password in "
        "MLFLOW_TRACKING_PASSWORD (of a server) or PGPASSWORD (of PostgreSQL)."
    )


def _probe(uri: str) -> None:
    """Ask a server, by the client and under the conditions (certificates, proxies) under which MLflow will."""
    import requests

    insecure = os.environ.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower() in ("true", "1")
    verify = False if insecure else os.environ.get("MLFLOW_TRACKING_SERVER_CERT_PATH") or True
    certificate = os.environ.get("MLFLOW_TRACKING_CLIENT_CERT_PATH")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it is insecure, which the user has asked for
            address = f"{uri.rstrip('/')}/health"
            answer = requests.get(address, timeout=PATIENCE, verify=verify, cert=certificate, stream=True)
        answer.close()  # it answers; whether it lets us in, the first call will tell
    except (OSError, ValueError) as error:  # those of requests are OSErrors
        raise _silent(uri, _cause(error)) from error


def _cause(error: Exception) -> str:
    """In a few words; requests tells of the whole way there."""
    text = str(error)
    untrusted = re.search(r"certificate verify failed: ([^(]+)", text)
    if untrusted:
        return f"{untrusted[1].strip()}; of one's own, name it: MLFLOW_TRACKING_SERVER_CERT_PATH=FILE"
    if "timed out" in text:
        return "timed out"
    return text.rpartition("] ")[2].rstrip("\"')") if "] " in text else text


def _knock(uri: str, port: int) -> None:
    """Ask a database: MLflow itself would try for minutes."""
    try:
        address = urlsplit(uri)
        if address.hostname:
            socket.create_connection((address.hostname, address.port or port), PATIENCE).close()
    except (OSError, ValueError) as error:
        raise _silent(uri, str(error)) from error


def _silent(uri: str, reason: str) -> TrackingError:
    return TrackingError(
        f"No MLflow server answers at {masked(uri)} ({masked(reason)}). Start it, or correct tracking.uri. {WITHOUT}"
    )
