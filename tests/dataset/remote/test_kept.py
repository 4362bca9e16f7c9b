"""Copies of what was read from servers: bounded, checked, and never in the way."""

import os
import time

import pytest

from offshelf.dataset.remote.kept import Kept, kept
from offshelf.errors import ConfigError


def test_a_copy(tmp_path):
    copies = Kept(tmp_path / "c", 10_000)
    copies.put("one", b"data")
    copies.put("empty", b"")
    assert copies.get("one") == b"data" and copies.get("empty") == b"" and copies.get("two") is None
    assert Kept(tmp_path / "c", 10_000).get("one") == b"data"


def test_a_damaged_copy_is_missing(tmp_path):
    copies = Kept(tmp_path / "c", 10_000)
    copies.put("one", bytes(100))
    (file,) = (tmp_path / "c").glob("*/*")
    damaged = bytearray(file.read_bytes())
    damaged[50] ^= 1
    for content in (bytes(damaged), file.read_bytes()[:60], b""):
        file.write_bytes(content)
        assert copies.get("one") is None
        assert not copies.read_into("one", memoryview(bytearray(100)))


def test_a_copy_into_memory(tmp_path):
    """Of the size of the copy; another size is another thing."""
    copies = Kept(tmp_path / "c", 10_000)
    copies.put("one", b"data")
    copies.put("empty", b"")
    memory = bytearray(4)
    assert copies.read_into("one", memoryview(memory)) and memory == b"data"
    assert copies.read_into("empty", memoryview(b""))
    assert not any(copies.read_into("one", memoryview(bytearray(size))) for size in (0, 3, 5))
    assert not copies.read_into("two", memoryview(memory))


def test_the_room_is_kept_and_old_copies_make_way(tmp_path):
    """What this process has read stays, so that a set that is larger than the room is not read in vain."""
    folder = tmp_path / "c"
    old = Kept(folder, 1158)
    for number in range(10):
        old.put(f"old {number}", bytes(84))
        file = max(folder.glob("*/*"), key=os.path.getmtime)
        os.utime(file, (time.time() - 1000 + number,) * 2)
    new = Kept(folder, 1158)
    assert new.get("old 0") is not None  # used now
    for number in range(30):
        new.put(f"new {number}", bytes(84))
    size = sum(file.stat().st_size for file in folder.glob("*/*"))
    assert size <= 1100  # 95 % of the room
    new.put("small", bytes(40), share=1.0)
    assert new.get("small") is not None
    assert [number for number in range(10) if new.get(f"old {number}") is not None] == [0]
    assert [number for number in range(30) if new.get(f"new {number}") is not None] == list(range(10))


def test_settings(home, monkeypatch):
    assert kept().limit == 4e9 and kept().folder == home / "remote" / "copies"
    monkeypatch.setenv("OFFSHELF_CACHE_GB", "0")
    kept().put("one", b"data")
    assert not kept().folder.exists()
    for wrong in ("much", "-1", "nan"):
        monkeypatch.setenv("OFFSHELF_CACHE_GB", wrong)
        with pytest.raises(ConfigError, match="OFFSHELF_CACHE_GB is a number of gigabytes"):
            kept()


def test_a_full_disk_stops_nothing(small_disk):
    copies = Kept(small_disk / "c", 10**9)
    for number in range(4):
        copies.put(str(number), os.urandom(400_000))
    assert copies.limit == 0 and copies.get("0") is not None
