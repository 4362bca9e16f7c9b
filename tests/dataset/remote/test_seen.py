"""What earlier runs saw of remote images: a database that several processes write, and that nothing depends on."""

import sqlite3
import subprocess
import sys

import pytest

from offshelf.dataset.intensity_range import Extent
from offshelf.dataset.remote.seen import BATCH, Look, Seen

DIGEST = "ab" * 32
LOOK = Look(DIGEST, None, (640, 480))
MANY = 10**9


def test_what_was_seen(tmp_path):
    seen = Seen(tmp_path / "s.sqlite")
    deep = Look("cd" * 32, Extent(0.0, 4095.0, False, True), (1, 2))
    seen.add("one", LOOK)
    seen.add("deep", deep)
    for reader in (seen, flushed(seen)):
        one, other = reader.get("one", MANY), reader.get("deep", MANY)
        assert (one.digest, one.extent, one.size) == (DIGEST, None, (640, 480))
        assert (other.digest, other.extent, other.size) == (deep.digest, deep.extent, (1, 2))
        assert reader.get("two", MANY) is None


def flushed(seen):
    seen.flush()
    return Seen(seen.file)


def test_a_smaller_limit_of_pixels_reads_again(tmp_path):
    seen = Seen(tmp_path / "s.sqlite")
    seen.add("one", LOOK)
    assert seen.get("one", 640 * 480) and seen.get("one", 640 * 480 - 1) is None


def test_an_interruption_costs_a_batch(tmp_path):
    seen = Seen(tmp_path / "s.sqlite")
    for number in range(BATCH + 5):
        seen.add(str(number), LOOK)
    killed = Seen(seen.file)
    assert killed.get(str(BATCH - 1), MANY) and killed.get(str(BATCH), MANY) is None


def test_forgetting(tmp_path):
    seen = Seen(tmp_path / "s.sqlite")
    seen.add("one", LOOK)
    seen.flush()
    seen.add("two", LOOK)
    for version in ("one", "two"):
        seen.forget(version)
    assert flushed(seen).get("one", MANY) is None and seen.get("two", MANY) is None


WRITER = """
import sys
from pathlib import Path
from offshelf.dataset.remote.seen import Look, Seen
seen = Seen(Path(sys.argv[1]))
for number in range(2000):
    seen.add(f"{sys.argv[2]} {number}", Look("ab" * 32, None, (1, 1)))
seen.flush()
"""


@pytest.mark.slow
def test_several_processes(tmp_path):
    file = tmp_path / "s.sqlite"
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(file), str(number)]) for number in range(4)]
    assert [writer.wait() for writer in writers] == [0] * 4
    assert sqlite3.connect(file).execute("SELECT count(*) FROM seen_1").fetchone() == (8000,)


def test_a_database_that_cannot_be_used(tmp_path):
    """Damaged, or where nothing can be written."""
    (tmp_path / "s.sqlite").write_bytes(b"no database at all" * 1000)
    (tmp_path / "file").write_text("")
    for file in (tmp_path / "s.sqlite", tmp_path / "file" / "s.sqlite"):
        seen = Seen(file)
        seen.add("one", LOOK)
        assert seen.get("one", MANY) is not None and seen.get("two", MANY) is None
        seen.flush()
        seen.forget("one")
