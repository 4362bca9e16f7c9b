"""The shards of one network in a bucket: read by ranges, and listed in a few objects beside them.

Below the address of a network lie its shards, the same files as on disk, and `index/`: each object there holds the
headers and digests of up to PART shards. A writer has objects of its own and rewrites only these, so that no two of
them write one; a full one is never written again. A reader lists `index/`, which has a PART-th of the keys, and reads
what is new.
"""

import base64
import json
import logging
import uuid
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from typing_extensions import override
from xxhash import xxh3_64_hexdigest

from offshelf.dataset.remote.kept import Kept
from offshelf.remote import About, Url, client
from offshelf.remote.faults import ObjectError
from offshelf.store.catalogue import Catalogue
from offshelf.store.shard import BEGIN, SUFFIX, GoneShardError, Head, Shard, damaged, parse_head

log = logging.getLogger(__name__)

INDEX = "index"
PART = 32
"""Shards of an object of the index."""


@dataclass(frozen=True, eq=False)
class BucketShard(Shard):
    """A shard in a bucket; `path` is its name alone. Tensors are kept on disk, each with a checksum."""

    url: Url | None = None
    kept: Kept | None = None

    @override
    def read(self, key: str, into: np.ndarray | None = None) -> np.ndarray:
        tensor = self.tensors[key]
        values = np.empty(tensor.shape, np.float32) if into is None else into
        name = f"{self.path.name} {key}"
        memory = memoryview(values.reshape(-1).view(np.uint8))  # type: ignore[arg-type]
        if self.kept and self.kept.read_into(name, memory):
            return values
        data = self._fetched(tensor.offset, values.nbytes)
        if xxh3_64_hexdigest(data) != tensor.checksum:
            raise damaged(self.url, "its checksum differs")
        if self.kept:
            self.kept.put(name, data, share=1.0)
        memory[:] = data
        return values

    def _fetched(self, start: int, count: int) -> bytes:
        assert self.url is not None  # of every shard of a bucket
        try:
            return client(self.url).get_range(self.url, start, start + count)
        except ObjectError as error:
            raise GoneShardError(f"{self.url} was removed or changed; its features are extracted again.") from error


class BucketCatalogue(Catalogue):
    """The catalogue of one network in a bucket."""

    def __init__(self, url: Url, kept: Kept) -> None:
        """Take the address of the network, and where tensors are kept."""
        super().__init__(Path(url.name))
        self.url, self.kept = url, kept
        self._known: dict[str, Shard] = {}
        self._read: dict[str, str] = {}
        """Tags of the objects of the index that were read, by key."""
        self._own: list[dict[str, object]] = []
        self._own_name = ""
        self._was_empty = False
        """Whether a listing has found no shards: then there is no index because nothing is written yet."""

    @override
    def names(self) -> set[str]:
        """Read what is new in the index; where there is none, make it of the shards."""
        place = self.url / INDEX
        found = {key: about.tag for page in client(place).pages(place) for key, about in page}
        for key in sorted(found):
            if self._read.get(key) != found[key] and key.rpartition("/")[2] != self._own_name:
                self._take_part(Url(self.url.scheme, self.url.place, key), found[key])
                self._read[key] = found[key]
        if not found and not self._known and not self._was_empty:
            self._was_empty = not self.rebuild()
        return set(self._known)

    @override
    def open(self, name: str) -> Shard:
        return self._known[name]

    def shards_in_bucket(self) -> dict[str, About]:
        """Return names and sizes of all shards, by a listing."""
        start = len(self.url.key) + 1
        return {
            key[start:]: about
            for page in client(self.url).pages(self.url)
            for key, about in page
            if "/" not in key[start:] and key.endswith(SUFFIX)
        }

    def rebuild(self) -> int:
        """Add to the index the shards that it lacks. Return their number."""
        lacking = [(name, about) for name, about in sorted(self.shards_in_bucket().items()) if name not in self._known]
        for name, about in lacking:
            try:
                self.note(name, self._head_of(name, about.size), about.size)
            except GoneShardError:
                continue
        return len(lacking)

    def write(self, name: str, data: bytes) -> Shard:
        """Write a shard unless the bucket has it, and note it in the index."""
        is_new = client(self.url).create(self.url / name, data)
        if not is_new and self._shards.get(name, self) is None:  # it was read, and is damaged
            client(self.url).write(self.url / name, data)
        start = 8 + int.from_bytes(data[:8], "little")
        listed = parse_head(name, data[:start], len(data)).listed
        return self.note(name, data[:start] + data[listed.offset : listed.offset + 32 * listed.shape[0]], len(data))

    def note(self, name: str, head: bytes, size: int) -> Shard:
        """Note a shard, whose header and digests these are, in this writer's part of the index."""
        shard = self._shard(name, head, size)
        if not self._own_name or len(self._own) >= PART:
            self._own, self._own_name = [], f"{uuid.uuid4().hex}.json"
        self._own.append({"name": name, "size": size, "head": base64.b64encode(head).decode()})
        client(self.url).write(self.url / INDEX / self._own_name, json.dumps({"shards": self._own}).encode())
        self._known[name] = shard
        return shard

    def forget(self, name: str) -> None:
        """Delete a shard from the bucket."""
        client(self.url).delete(self.url / name)
        self._known.pop(name, None)

    def _head_of(self, name: str, size: int) -> bytes:
        """Read header and digests of a shard by ranges."""
        url = self.url / name
        try:
            begin = client(url).get_range(url, 0, min(BEGIN, size))
            start = 8 + int.from_bytes(begin[:8], "little")
            if start > size:
                raise damaged(url, "it is truncated")
            begin = begin[:start] + client(url).get_range(url, min(len(begin), start), start)
            listed = parse_head(url, begin, size).listed
            return begin + client(url).get_range(url, listed.offset, listed.offset + 32 * listed.shape[0])
        except ObjectError as error:
            raise GoneShardError(f"{url} was removed or changed; its features are extracted again.") from error

    def _shard(self, name: str, data: bytes, size: int) -> Shard:
        url = self.url / name
        start = 8 + int.from_bytes(data[:8], "little")
        head: Head = parse_head(url, data[:start], size)
        if len(data) - start != 32 * head.listed.shape[0]:
            raise damaged(url, "its entry in the index is not whole")
        images = np.frombuffer(data[start:], np.uint8).reshape(-1, 32)
        head.require(url, images)
        return BucketShard(Path(name), images, head.tensors, size, head.releases, url=url, kept=self.kept)

    def _take_part(self, url: Url, tag: str) -> None:
        """Read an object of the index; a damaged one is left out, and its shards are found by `verify`."""
        try:
            for one in json.loads(self._part(url, tag))["shards"]:
                name = str(one["name"])
                if name not in self._known:
                    self._known[name] = self._shard(name, base64.b64decode(one["head"]), int(one["size"]))
        except (ObjectError, ValueError, KeyError, TypeError, OSError) as error:
            log.warning("%s is left out: %s. offshelf store verify makes the index anew.", url, error)

    def _part(self, url: Url, tag: str) -> bytes:
        """Return an object of the index, which is kept beside the tensors."""
        version = f"{url} {tag}"
        data = self.kept.get(version)
        if data is None:
            data = client(url).get(url)  # or what has come after it, with all that it had
            self.kept.put(version, data, share=1.0)
        return data
