"""Claims in a bucket, by which machines without a common file system divide the work.

A claim is an object that its holder creates if there is none, and rewrites every BEAT seconds. Whoever else wants the
work remembers the object's tag, and the time on a clock of its own that nothing sets, `time.monotonic`. A tag that has
not changed for EXPIRY seconds belongs to a holder that is dead or cut off, and the object is replaced on the condition
that it still has that tag. No two clocks are compared. A holder that was only slow finds out when it rewrites its
claim; both then write the same shard, which costs the work of a chunk and nothing else.
"""

import json
import logging
import threading
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from typing_extensions import override

from offshelf.errors import RemoteError
from offshelf.home import home_dir
from offshelf.remote import Url, client
from offshelf.remote.faults import GoneError, ObjectError
from offshelf.store.claim import Claim

log = logging.getLogger(__name__)

FOLDER = "claims"
BEAT = 20.0
"""Seconds between two signs of life."""
EXPIRY = 90.0
"""Seconds without one after which a claim is free."""
ASK = 5.0
"""Seconds between two looks at a claim of another process."""


@dataclass(eq=False)
class Held:
    """A claim of this process."""

    url: Url
    owner: str
    tag: str = ""
    beats: int = 0
    ended: threading.Event = field(default_factory=threading.Event)
    is_lost: bool = False

    @property
    def content(self) -> bytes:
        """What the object says; different each time, as its tag may be its digest."""
        return json.dumps({"owner": self.owner, "claim": uuid.uuid4().hex, "beats": self.beats}).encode()

    def keep(self) -> None:
        """Give signs of life until the claim is released or lost."""
        while not self.ended.wait(BEAT):
            self.beats += 1
            try:
                self.tag = client(self.url).write(self.url, self.content, self.tag).tag
            except ObjectError:
                log.info("The claim %s was taken over: its work may be done twice, to the same end.", self.url)
                self.is_lost = True
                return
            except RemoteError as error:
                log.info("No sign of life at %s: %s", self.url, error)


@dataclass(frozen=True, eq=False)
class LeasedClaim(Claim):
    """Work that belongs to this process as long as it gives signs of life; `lock` is that of its home."""

    held: Held | None = None

    @override
    def release(self) -> None:
        held = self.held
        if held and not held.ended.is_set():
            held.ended.set()
            try:
                if not held.is_lost:
                    client(held.url).delete(held.url)
            except (RemoteError, ObjectError) as error:
                log.info("The claim %s is left to expire: %s", held.url, error)
        super().release()


@dataclass(eq=False)
class Leases:
    """The claims of others, as this process has seen them."""

    _seen: dict[str, tuple[str, float, float]] = field(default_factory=dict)
    """By address: tag, when it was first seen, and when it was last looked at."""

    def take(self, url: Url, lock: Any) -> LeasedClaim | None:
        """Claim the work of an object, given the lock on it among the processes of this home.

        Returns None while another process has it. Raises RemoteError.
        """
        key, now = str(url), time.monotonic()
        tag, since, looked = self._seen.get(key, ("", now, -ASK))
        if now - looked < ASK:
            return None
        held = Held(url, owner())
        try:
            if created := client(url).create(url, held.content):
                held.tag = created.tag
                return self._begun(key, held, lock)
            found = client(url).about(url).tag
            is_mine = _owner_of(url) == held.owner  # of a process of this home that is dead: its lock is free
            if found != tag and not is_mine:
                self._seen[key] = (found, now, now)
                return None
            self._seen[key] = (found, since, now)
            if now - since < EXPIRY and not is_mine:
                return None
            held.tag = client(url).write(url, held.content, found).tag
        except GoneError:
            return None  # released between two requests: the next attempt has it
        except ObjectError:
            self._seen.pop(key, None)
            return None
        return self._begun(key, held, lock)

    def _begun(self, key: str, held: Held, lock: Any) -> LeasedClaim:
        self._seen.pop(key, None)
        threading.Thread(target=held.keep, name="claim", daemon=True).start()
        return LeasedClaim(lock, held)


def owner() -> str:
    """Return the name of this home, which nothing but copying the home gives to another."""
    path = home_dir() / "remote" / "owner"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(uuid.uuid4().hex)
    except FileExistsError:
        pass
    except OSError:
        return uuid.uuid4().hex
    return path.read_text(encoding="utf-8")


def _owner_of(url: Url) -> str:
    try:
        return str(json.loads(client(url).get(url))["owner"])
    except (ValueError, KeyError, TypeError):
        return ""
