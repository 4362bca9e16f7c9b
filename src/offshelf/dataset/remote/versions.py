"""Sizes and tags of many remote files at once: by a listing where that takes fewer requests, else one by one."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from itertools import takewhile

from offshelf.dataset.remote.file import Place, RemoteFile
from offshelf.remote import About, Url, client
from offshelf.remote.bucket import PAGE
from offshelf.remote.faults import ObjectError

THREADS = 16
LISTED = 10
"""Keys that are listed for each that is wanted, at most; a page in any case."""


def with_versions(places: Sequence[Place]) -> list[Place]:
    """Return the places, remote ones with size and tag if the server has them. Raises RemoteError."""
    remote = {place.url: place for place in places if isinstance(place, RemoteFile)}
    if not remote:
        return list(places)
    servers: dict[tuple[str, str], list[Url]] = {}
    for url in remote:
        servers.setdefault((url.scheme, url.place), []).append(url)
    found: dict[Url, About] = {}
    for urls in servers.values():
        found |= _abouts(urls)
    return [_known(place, found) for place in places]


def _known(place: Place, found: dict[Url, About]) -> Place:
    if not isinstance(place, RemoteFile) or place.url not in found:
        return place
    about = found[place.url]
    return replace(place, size=about.size, tag=about.tag)


def _abouts(urls: Sequence[Url]) -> dict[Url, About]:
    """Return what the server of some addresses knows of those that exist."""
    found = {} if urls[0].is_site or len(urls) == 1 else _of_listing(urls)
    left = [url for url in urls if url not in found]
    with ThreadPoolExecutor(THREADS) as pool:
        found.update((url, about) for url, about in zip(left, pool.map(_about, left), strict=True) if about)
    return found


def _about(url: Url) -> About | None:
    with suppress(ObjectError):  # said when the image is read
        return client(url).about(url)
    return None


def _of_listing(urls: Sequence[Url]) -> dict[Url, About]:
    """Return what a listing of the folder of all says; the first pages if there is much else in it."""
    folder = _folder([url.key for url in urls])
    wanted = {url.key: url for url in urls}
    found: dict[Url, About] = {}
    count = 0
    for page in client(urls[0]).pages(replace(urls[0], key=folder)):
        found.update((wanted[key], about) for key, about in page if key in wanted)
        count += len(page)
        if len(found) == len(urls) or count >= max(PAGE, LISTED * len(urls)):
            break
    return found


def _folder(keys: Sequence[str]) -> str:
    """Return the deepest folder that all keys are in."""
    first, last = min(keys).split("/")[:-1], max(keys).split("/")[:-1]
    same = takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False))
    return "/".join(name for name, _ in same)
