"""Archives of strangers: what would leave the folder, or is no plain file, is refused whole, on any Python."""

import io
import os
import tarfile
import zipfile

import pytest

from offshelf.dataset.published import archive as module
from offshelf.dataset.published.archive import unpack
from offshelf.errors import DatasetError


@pytest.fixture(autouse=True)
def no_filter(monkeypatch):
    """As on a Python whose own filter lets everything through."""
    monkeypatch.setitem(tarfile._NAMED_FILTERS, "data", lambda member, path: member)


def entry(name, kind=tarfile.REGTYPE, link="", size=0):
    """A tar's member."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, link, size
    return info


def tar(path, *entries):
    """A tar of members, each with as many zeros as it announces."""
    with tarfile.open(path, "w") as file:
        for one in entries:
            file.addfile(one, io.BytesIO(bytes(one.size)))
    return path


FINE = entry("tree/fine", size=3)
ESCAPES = {
    "absolute": [entry("/tmp/evil", size=1)],
    "above": [entry("tree/../../evil", size=1)],
    "backslashes": [entry("..\\evil", size=1)],
    "drive": [entry("C:/evil", size=1)],
    "link above": [entry("tree/out", tarfile.SYMTYPE, "../../..")],
    "absolute link": [entry("tree/out", tarfile.SYMTYPE, "/etc")],
    "through a link": [entry("out", tarfile.SYMTYPE, ".."), entry("out/evil", size=1)],
    # The first link is harmless; the second is by its words inside, and in fact above the folder.
    "two links": [
        entry("a/b/c/x", size=1),
        entry("short", tarfile.SYMTYPE, "a/b/c"),
        entry("short/../../../../evil", tarfile.SYMTYPE, "x"),
    ],
    "link through a link": [
        entry("short", tarfile.SYMTYPE, "."),
        entry("deep/er/out", tarfile.SYMTYPE, "../../short/../../x"),
    ],
    "hard link above": [entry("tree/out", tarfile.LNKTYPE, "../evil")],
    "hard link to a system's file": [entry("tree/out", tarfile.LNKTYPE, "/etc/hostname")],
    "link to nothing": [entry("tree/out", tarfile.SYMTYPE, "nothing")],
    "circle": [entry("one", tarfile.SYMTYPE, "two"), entry("two", tarfile.SYMTYPE, "one")],
    "itself": [entry("one", tarfile.SYMTYPE, "one")],
    "twice": [FINE],
    "file and folder": [entry("tree/fine/more", size=1)],
    "link in place of a file": [entry("tree/fine", tarfile.SYMTYPE, "..")],
    "device": [entry("null", tarfile.CHRTYPE)],
    "block device": [entry("disk", tarfile.BLKTYPE)],
    "pipe": [entry("pipe", tarfile.FIFOTYPE)],
}


@pytest.mark.parametrize("name", ESCAPES)
def test_refused_whole(tmp_path, name):
    """One sentence; nothing inside, nothing outside."""
    (tmp_path / "evil").write_text("mine")
    with pytest.raises(DatasetError, match=r"x\.tar cannot be unpacked: ") as error:
        unpack(tar(tmp_path / "x.tar", FINE, *ESCAPES[name]), tmp_path / "in")

    assert "\n" not in str(error.value)
    assert list((tmp_path / "in").iterdir()) == []
    assert {path.name for path in tmp_path.iterdir()} == {"x.tar", "in", "evil"}
    assert (tmp_path / "evil").read_text() == "mine"


def test_links_inside(tmp_path):
    """To a file, whatever the order, to a link, to a folder; done again, it gives the same."""
    made = tar(
        tmp_path / "x.tar",
        entry("./again", tarfile.SYMTYPE, "tree/late"),
        entry("first", tarfile.SYMTYPE, "other/way/late"),
        entry("tree/late", tarfile.SYMTYPE, "fine"),
        FINE,
        entry("tree/hard", tarfile.LNKTYPE, "tree/fine"),
        entry("other/way", tarfile.SYMTYPE, "../tree"),
    )
    for _ in range(2):
        unpack(made, tmp_path / "in")
    for name in ("again", "first", "tree/late", "tree/hard", "tree/fine", "other/way/fine"):
        assert (tmp_path / "in" / name).read_bytes() == bytes(3)
    assert str((tmp_path / "in/other/way").readlink()) == "../tree"


def test_modes_are_ours(tmp_path):
    """No file that runs, or runs as another."""
    info = entry("run", size=1)
    info.mode = 0o4777
    unpack(tar(tmp_path / "x.tar", info), tmp_path / "in")

    assert (tmp_path / "in/run").stat().st_mode & 0o7111 == 0


def zipped(path, name, data=b"1", mode=0):
    """A zip of one member."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        info = zipfile.ZipInfo(name)
        info.external_attr = mode << 16
        info.compress_type = zipfile.ZIP_DEFLATED
        file.writestr(info, data)
    return path


@pytest.mark.parametrize(
    ("name", "data", "mode"),
    [("/tmp/evil", b"1", 0), ("..\\evil", b"1", 0), ("out", b"../..", 0o120777), ("out", b"/etc", 0o120777)],
)
def test_zips_are_refused(tmp_path, name, data, mode):
    """Links in them are links, not files with a path as text."""
    with pytest.raises(DatasetError, match="would be outside"):
        unpack(zipped(tmp_path / "x.zip", name, data, mode), tmp_path / "in")


def test_more_than_can_be_true(tmp_path, monkeypatch):
    """A few bytes that unpack to very many; none is left."""
    monkeypatch.setattr(module, "LIMITS", (100, 1000))
    with pytest.raises(DatasetError, match="larger than the disk or any plausible archive"):
        unpack(zipped(tmp_path / "x.zip", "zeros", bytes(1_000_000)), tmp_path / "in")
    assert list((tmp_path / "in").iterdir()) == []


def test_password(tmp_path):
    """A sentence of ours."""
    path = zipped(tmp_path / "x.zip", "secret")
    data = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + offset] |= 1
    path.write_bytes(data)
    with pytest.raises(DatasetError, match=r"password.*by hand"):
        unpack(path, tmp_path / "in")


@pytest.mark.parametrize("kind", ["xz", "bz2", "gz"])
def test_cut_off(tmp_path, kind):
    """Of every kind of compression."""
    with tarfile.open(tmp_path / "x", f"w:{kind}") as file:
        file.addfile(entry("a", size=300_000), io.BytesIO(os.urandom(300_000)))
    (tmp_path / "x").write_bytes((tmp_path / "x").read_bytes()[:150_000])
    with pytest.raises(DatasetError, match="x cannot be unpacked"):
        unpack(tmp_path / "x", tmp_path / "in")


def test_no_archive_is_one_sentence(tmp_path):
    """Python's error lists all that it has tried, a line each."""
    (tmp_path / "x.tar").write_bytes(b"no archive" * 100)
    with pytest.raises(DatasetError, match=r"x\.tar cannot be unpacked: it is not a known archive") as error:
        unpack(tmp_path / "x.tar", tmp_path / "out")
    assert "\n" not in str(error.value)
