"""Requests to buckets by obstore, whose wheel holds the clients of S3, Google Cloud Storage and Azure.

Credentials come from the environment (`AWS_…`, `GOOGLE_…`, `AZURE_…`), or from the machine's role, and stay in obstore.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from typing_extensions import override

from offshelf.errors import RemoteError
from offshelf.remote.clients import About, Client
from offshelf.remote.faults import ChangedError, ObjectError, bucket_fault
from offshelf.remote.url import Url

PAGE = 1000
"""Keys of a page: as many as a server gives at once."""
CONNECT = timedelta(seconds=10)
TIMEOUT = timedelta(seconds=60)
"""Of a request with its answer."""
RETRIES: dict[str, Any] = {
    "max_retries": 8,
    "backoff": {"init_backoff": timedelta(milliseconds=250), "max_backoff": timedelta(seconds=8), "base": 2},
    "retry_timeout": timedelta(seconds=120),
}
"""Of requests that fail at the server or on the way: some 30 seconds of waiting in all. obstore's own end after 3."""


class Bucket(Client):
    """Objects of one bucket, or container."""

    def __init__(self, url: Url) -> None:
        """Take the address. Raises RemoteError if obstore is missing, or misses a setting."""
        self.url = url
        with self._faults(url):
            self.store = open_store(url)

    @override
    def get(self, url: Url, tag: str = "") -> bytes:
        return self._get(url, tag, None)

    @override
    def get_range(self, url: Url, start: int, end: int, tag: str = "") -> bytes:
        return self._get(url, tag, (start, end)) if end > start else b""

    def _get(self, url: Url, tag: str, wanted: tuple[int, int] | None) -> bytes:
        options = {"if_match": tag} if tag.startswith('"') else {}
        with self._faults(url):
            found = self.store.get(url.key, options={**options, **({"range": wanted} if wanted else {})})
            (start, end), data = found.range, bytes(found.bytes())
        if len(data) != end - start:
            raise ChangedError(f"{url} was cut off: {len(data):,} of {end - start:,} bytes came.")
        if (tag and _about(found.meta).tag != tag) or (wanted and wanted != (start, end)):
            raise ChangedError.of(url)
        return data

    @override
    def about(self, url: Url) -> About:
        with self._faults(url):
            return _about(self.store.head(url.key))

    @override
    def create(self, url: Url, data: bytes) -> About | None:
        with self._faults(url):
            try:
                return About(len(data), _tag(self.store.put(url.key, data, mode="create", use_multipart=False)))
            except Exception as error:
                if type(error).__name__ == "AlreadyExistsError":
                    return None
                raise

    @override
    def write(self, url: Url, data: bytes, tag: str = "") -> About:
        with self._faults(url):
            mode: Any = {"e_tag": tag} if tag else "overwrite"
            return About(len(data), _tag(self.store.put(url.key, data, mode=mode, use_multipart=False)))

    @override
    def delete(self, url: Url) -> None:
        with self._faults(url):
            self.store.delete(url.key)

    @override
    def pages(self, url: Url) -> Iterator[Sequence[tuple[str, About]]]:
        with self._faults(url):
            for page in self.store.list(url.key.strip("/") or None, chunk_size=PAGE):
                yield [(one["path"], _about(one)) for one in page]

    @contextmanager
    def _faults(self, url: Url) -> Iterator[None]:
        try:
            yield
        except (RemoteError, ObjectError):
            raise
        except Exception as error:  # obstore's, and the built-in FileNotFoundError and ValueError
            raise bucket_fault(url, error) from None  # its text may hold what was sent


def _about(found: Any) -> About:
    changed = found["last_modified"]
    return About(int(found["size"]), _tag(found) or changed.isoformat(), changed.timestamp())


def _tag(found: Any) -> str:
    """Return the ETag with its quotes, which Azure leaves out in listings alone; empty if there is none."""
    tag = found["e_tag"] or ""
    return f'"{tag}"' if tag and not tag.startswith(('"', "W/")) else tag


def open_store(url: Url) -> Any:
    """Return obstore's client of a bucket. Raises RemoteError if obstore is missing."""
    try:
        from obstore import store
    except ImportError as error:
        raise RemoteError(f"{url.scheme}:// addresses need obstore: pip install 'offshelf[buckets]'") from error
    options: dict[str, Any] = {"connect_timeout": CONNECT, "timeout": TIMEOUT}
    settings: dict[str, Any] = {"client_options": options, "retry_config": RETRIES}
    if url.scheme == "s3":
        endpoint = _first("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
        options["allow_http"] = endpoint.startswith("http://")
        settings |= {"endpoint": endpoint} if endpoint else {}
        settings["region"] = _first("AWS_REGION", "AWS_DEFAULT_REGION") or "us-east-1"
        return store.S3Store(url.place, **settings)
    if url.scheme == "gs":
        return store.GCSStore(url.place, **settings)
    endpoint = _first("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT")
    options["allow_http"] = endpoint.startswith("http://")
    return store.AzureStore(url.place, **settings)


def _first(*names: str) -> str:
    """Return the value of the first environment variable that has one."""
    return next((os.environ[name] for name in names if os.environ.get(name)), "")
