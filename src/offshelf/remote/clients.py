"""Requests to a bucket or a site. There is one client for each in a process; credentials stay in its library."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from offshelf.remote.url import Url


@dataclass(frozen=True, slots=True)
class About:
    """What a server says of an object without its bytes."""

    size: int
    tag: str
    """What changes when the object does, such as its ETag; empty if the server gives nothing of the kind."""
    changed: float = 0.0
    """When it was written, in seconds since 1970; 0 if unknown."""


class Client(ABC):
    """Requests to one bucket or site, each repeated a bounded number of times. Threads may share it.

    All methods raise RemoteError if the server cannot be reached, refuses, or fails again and again; and
    GoneError, ChangedError or OddKeyError for one object.
    """

    @abstractmethod
    def get(self, url: Url, tag: str = "") -> bytes:
        """Return the whole object, which must have the tag if one is given."""

    @abstractmethod
    def get_range(self, url: Url, start: int, end: int, tag: str = "") -> bytes:
        """Return the bytes from `start` up to, and without, `end` of an object that has the tag, if one is given."""

    @abstractmethod
    def about(self, url: Url) -> About:
        """Return size and tag of an object."""

    def create(self, url: Url, data: bytes) -> About | None:
        """Write an object in one request if there is none. Return what was written; None if there is one."""
        raise NotImplementedError

    def write(self, url: Url, data: bytes, tag: str = "") -> About:
        """Write an object in one request, in place of the one that has the tag, if one is given."""
        raise NotImplementedError

    def delete(self, url: Url) -> None:
        """Delete an object if there is one."""
        raise NotImplementedError

    @abstractmethod
    def pages(self, url: Url) -> Iterator[Sequence[tuple[str, About]]]:
        """Yield keys below an address with what is known of them, a page at a time."""


def client(url: Url) -> Client:
    """Return the client of an address. Raises RemoteError if a library is missing."""
    return _client(url.scheme, url.place, url.user)


@lru_cache(maxsize=64)
def _client(scheme: str, place: str, user: str) -> Client:
    from offshelf.remote.bucket import Bucket
    from offshelf.remote.site import Site

    url = Url(scheme, place, "", user=user)
    return Site(url) if url.is_site else Bucket(url)
