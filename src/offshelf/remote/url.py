"""Addresses of objects in buckets (s3, gs, az) and of files of web sites (http, https)."""

import re
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from urllib.parse import quote, unquote

from offshelf.errors import ConfigError

BUCKETS = ("s3", "gs", "az")
SITES = ("http", "https")
SCHEMES = (*BUCKETS, *SITES)

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
_SIGNATURE = re.compile(
    r"(X-(Amz|Goog)-.*|AWSAccessKeyId|GoogleAccessId|Signature|Expires|Policy|Key-Pair-Id"
    r"|sig|se|st|sp|sv|sr|spr|sip|skoid|sktid|skt|ske|sks|skv|token|access_token|api_key|key)",
    re.IGNORECASE,
)
"""Parameters that give access to a file, and change although the file does not."""
_KEPT = "/%:@!$&'()*+,;=~"
"""Characters of a web address that stay as they are, besides letters, digits and `-._`."""


@dataclass(frozen=True)
class Url:
    """The address of an object, or of all objects below it."""

    scheme: str
    place: str
    """Name of the bucket or container; host and port of a site."""
    key: str
    """The key, as it is written; of a site the path, with special characters quoted. Without a slash before it."""
    query: str = ""
    user: str = ""
    """`user:password` before the host, quoted; secret."""

    @staticmethod
    def of(text: str) -> "Url":
        """Parse an address. Raises ConfigError, which does not show its secrets."""
        found = _URL.fullmatch(text.strip())
        scheme = found[1].lower() if found else ""
        if not found or scheme not in SCHEMES:
            raise ConfigError(
                f"Addresses of images begin with {', '.join(f'{one}://' for one in SCHEMES)}; got {scheme or text}://…"
            )
        place, _, rest = found[2].partition("/")
        user, _, place = place.rpartition("@")
        if not place:
            raise ConfigError(f"{scheme}://{rest} names no {'bucket' if scheme in BUCKETS else 'host'}.")
        if scheme in BUCKETS:
            return Url(scheme, place, rest, user=user)
        path, _, query = rest.partition("#")[0].partition("?")
        return Url(scheme, place, quote(path, safe=_KEPT), quote(query, safe=f"{_KEPT}?"), user)

    def __str__(self) -> str:
        """Return the address without what gives access: user, password and signature."""
        query = self.public_query
        return f"{self.scheme}://{self.place}/{self.key}{f'?{query}' if query else ''}"

    def __repr__(self) -> str:
        return f"Url({str(self)!r})"

    @property
    def is_site(self) -> bool:
        """Whether it is of a web site, whose files cannot be listed."""
        return self.scheme in SITES

    @property
    def public_query(self) -> str:
        """The query without parameters that give access."""
        kept = (one for one in self.query.split("&") if one and not _SIGNATURE.fullmatch(one.partition("=")[0]))
        return "&".join(kept)

    @property
    def request_target(self) -> str:
        """Path and query as they are sent to a site."""
        return f"/{self.key}{f'?{self.query}' if self.query else ''}"

    @property
    def path(self) -> PurePosixPath:
        """The key as a path, unquoted, for its names."""
        return PurePosixPath(unquote(self.key) if self.is_site else self.key)

    @property
    def name(self) -> str:
        """Last name of the key; the bucket's if there is no key."""
        return self.path.name or self.place

    def __truediv__(self, name: str) -> "Url":
        """Return the address of something below this one; of an address, that itself."""
        if is_url(name):
            return Url.of(name)
        below = quote(name, safe="/") if self.is_site else name
        before = self.key.rstrip("/")
        return replace(self, key=f"{before}/{below}" if before else below)

    @property
    def parent(self) -> "Url":
        """The address of what this one is in."""
        return replace(self, key=self.key.rstrip("/").rpartition("/")[0])


def is_url(text: object) -> bool:
    """Return whether a text is an address rather than a path."""
    found = _URL.fullmatch(text.strip()) if isinstance(text, str) and "://" in text else None
    return bool(found) and (found[1].lower() in SCHEMES or len(found[1]) > 1)  # type: ignore[index]
