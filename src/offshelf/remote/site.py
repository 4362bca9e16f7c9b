"""Requests to web sites by urllib3, over connections that are kept open."""

import re
import ssl
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import unquote
from urllib.request import getproxies, proxy_bypass

from typing_extensions import override

from offshelf.errors import RemoteError
from offshelf.remote.clients import About, Client
from offshelf.remote.faults import ChangedError, GoneError
from offshelf.remote.url import Url

CONNECT, READ = 10.0, 60.0
"""Seconds to wait for a connection, and for the next bytes."""
TRIES = 8
BACKOFF, LONGEST = 0.25, 8.0
"""Seconds of the first wait, doubled each time; and of the longest."""
BUSY = (429, 500, 502, 503, 504)
"""Answers after which the same request may succeed."""
CONNECTIONS = 16
PARTIAL = 206
"""Answer of a server that gives ranges; others give the whole."""
NO_HEAD = (400, 403, 405, 501)
"""Answers to HEAD of servers, and of signed addresses, that answer to GET alone."""


class Site(Client):
    """Files of one host."""

    def __init__(self, url: Url) -> None:
        """Take an address with its user and password, if there are any."""
        from urllib3 import PoolManager, ProxyManager, Retry, Timeout, make_headers

        self.base = f"{url.scheme}://{url.place}"
        proxy = "" if proxy_bypass(url.place) else getproxies().get(url.scheme, "")
        settings: dict[str, Any] = {
            "maxsize": CONNECTIONS,
            "timeout": Timeout(connect=CONNECT, read=READ),
            "headers": make_headers(basic_auth=unquote(url.user) if url.user else None, user_agent="offshelf"),
            "retries": Retry(
                TRIES,
                backoff_factor=BACKOFF,
                backoff_max=LONGEST,
                status_forcelist=BUSY,
                allowed_methods={"GET", "HEAD"},
                raise_on_status=False,
                respect_retry_after_header=False,
            ),
            "ssl_context": ssl.create_default_context() if url.scheme == "https" else None,
        }
        self.pool = ProxyManager(proxy, **settings) if proxy else PoolManager(**settings)

    @override
    def get(self, url: Url, tag: str = "") -> bytes:
        answer = self._request("GET", url)
        if tag and _tag(answer.headers) != tag:
            raise ChangedError.of(url)
        return bytes(answer.data)

    @override
    def get_range(self, url: Url, start: int, end: int, tag: str = "") -> bytes:
        if end <= start:
            return b""
        answer = self._request("GET", url, {"Range": f"bytes={start}-{end - 1}"})
        data = bytes(answer.data) if answer.status == PARTIAL else bytes(answer.data)[start:end]
        if len(data) != end - start or (tag and _tag(answer.headers) != tag):
            raise ChangedError.of(url)
        return data

    @override
    def about(self, url: Url) -> About:
        answer = self._request("HEAD", url, allowed=NO_HEAD)
        if answer.status in NO_HEAD:
            answer = self._request("GET", url, {"Range": "bytes=0-0"})
        ranged = re.fullmatch(r"bytes .*/(\d+)", answer.headers.get("Content-Range", ""))
        size = ranged[1] if ranged else answer.headers.get("Content-Length", "-1")
        return About(int(size), _tag(answer.headers))

    @override
    def pages(self, url: Url) -> Iterator[Sequence[tuple[str, About]]]:
        raise RemoteError(
            f"{url} is of a web site, whose files cannot be listed: list the images in a table, dataset=csv "
            f"dataset.path=FILE.csv dataset.root={url}"
        )

    def _request(
        self, method: str, url: Url, headers: Mapping[str, str] | None = None, allowed: Sequence[int] = ()
    ) -> Any:
        from urllib3.exceptions import HTTPError

        sent = {**self.pool.headers, **headers} if headers else None
        try:
            answer = self.pool.request(method, self.base + url.request_target, headers=sent)
        except HTTPError as error:
            raise RemoteError(
                f"{self.base} does not answer, or breaks off ({_reason(error)}): check address and network."
            ) from None
        if answer.status in (404, 410):
            raise GoneError(f"{url} does not exist.")
        if answer.status in allowed or 200 <= answer.status < 300:
            return answer
        said = f"{answer.status} {answer.reason or ''}".strip()
        if answer.status in (401, 403, 407):
            raise RemoteError(
                f"{self.base} refuses access to {url} ({said}): an expired signature or token, or one that is missing."
            )
        if answer.status in BUSY:
            raise RemoteError(f"{self.base} has failed {TRIES + 1} times ({said}): try again later.")
        raise GoneError(f"{url} cannot be read ({said}).")


def _tag(headers: Any) -> str:
    """Return the ETag or, without one, when the file was changed; empty if neither is known."""
    return str(headers.get("ETag") or headers.get("Last-Modified") or "")


def _reason(error: Exception) -> str:
    """Return the cause in words, without the address, which may hold a signature."""
    from urllib3.exceptions import MaxRetryError, SSLError, TimeoutError

    cause = error.reason if isinstance(error, MaxRetryError) and error.reason else error
    if isinstance(cause, SSLError):
        found = re.search(r"certificate verify failed: ([^(]+)", str(cause))
        why = found[1].strip() if found else "TLS"
        return f"{why}; a certificate of your own: SSL_CERT_FILE=FILE"
    return "timeout" if isinstance(cause, TimeoutError) else "no connection, or connection lost"
