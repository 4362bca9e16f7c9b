"""Downloads against a server of our own that breaks off, lies and vanishes; archives that want to escape."""

import hashlib
import io
import tarfile
import zipfile
from urllib.request import urlopen

import numpy as np
import pytest
from server import serve, serve_ftp

from offshelf.dataset.published.archive import unpack
from offshelf.dataset.published.download import Remote, check_file, fetch
from offshelf.errors import DatasetError

DATA = np.random.default_rng(0).bytes(300_000)
DEAD = "http://127.0.0.1:9/data"


@pytest.fixture
def site(tmp_path):
    """A server with one file."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site/set.tar").write_bytes(DATA)
    with serve(tmp_path / "site") as site:
        yield site


def remote(*urls, kind="sha256"):
    """The file, with its right checksum."""
    return Remote("set.tar", urls, f"{kind}:{hashlib.new(kind, DATA).hexdigest()}")


@pytest.mark.parametrize("kind", ["md5", "sha256"])
def test_verified_download(site, tmp_path, kind):
    """Once: afterwards the file is there."""
    wanted = remote(f"{site.url}/set.tar", kind=kind)
    file = fetch(wanted, tmp_path)

    assert file == tmp_path / "set.tar"
    assert file.read_bytes() == DATA
    assert fetch(wanted, tmp_path) == file
    assert len(site.asked) == 1
    assert not list(tmp_path.glob(".*"))


def test_broken_download_goes_on(site, tmp_path):
    """From the byte where it stopped, twice."""
    site.breaks = [100_000, 50_000]
    file = fetch(remote(f"{site.url}/set.tar"), tmp_path)

    assert file.read_bytes() == DATA
    assert [wanted for _, wanted in site.asked] == [None, "bytes=100000-", "bytes=150000-"]


def test_server_that_cannot_resume(site, tmp_path):
    """Starts from the beginning."""
    site.breaks, site.ranges = [100_000], False

    assert fetch(remote(f"{site.url}/set.tar"), tmp_path).read_bytes() == DATA


def test_server_that_resumes_elsewhere(site, tmp_path):
    """Is not believed, though there be no checksum."""
    site.breaks, site.shift = [100_000], 7
    with pytest.raises(DatasetError, match="not the requested part of the file"):
        fetch(Remote("set.tar", (f"{site.url}/set.tar",)), tmp_path)
    assert not (tmp_path / "set.tar").exists()


def test_next_process_resumes(site, tmp_path):
    """What a process leaves that gives up, or is killed, the next one takes up; a whole one is not loaded again."""
    site.breaks = [100_000, 1, 1]
    with pytest.raises(DatasetError, match="broke after 1 of 199,999 bytes"):
        fetch(remote(f"{site.url}/set.tar"), tmp_path)
    assert not (tmp_path / "set.tar").exists()
    fetch(remote(f"{site.url}/set.tar"), tmp_path)
    assert site.asked[-1][1] == "bytes=100002-"

    (part,) = [f".set.tar.{hashlib.sha256(f'{site.url}/set.tar'.encode()).hexdigest()[:8]}.part"]
    (tmp_path / "set.tar").rename(tmp_path / part)
    assert fetch(remote(f"{site.url}/set.tar"), tmp_path).read_bytes() == DATA
    assert site.asked[-1][1] == "bytes=300000-"


def test_mirrors_in_order(site, tmp_path):
    """The user's, then the published ones; dead ones, and pages that say the file has moved, are passed over."""
    (site.folder / "moved.html").write_text("<h1>Gone</h1>")
    wanted = remote(f"{site.url}/nothing", f"{site.url}/moved.html", f"{site.url}/set.tar")
    fetch(wanted, tmp_path, mirrors=[DEAD])

    assert [path for path, _ in site.asked] == ["/nothing", "/moved.html", "/set.tar"]


def test_every_mirror_fails(site, tmp_path):
    """What each said."""
    (site.folder / "moved.html").write_text("<h1>Gone</h1>")
    wanted = remote(f"{site.url}/nothing", f"{site.url}/moved.html")
    with pytest.raises(DatasetError, match=r"/data/set\.tar: Connection refused; .*404 .*; .*web page"):
        fetch(wanted, tmp_path, mirrors=[DEAD])


def test_ftp(tmp_path):
    """Where old data sets still are; from the beginning where it broke off."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site/set.tar").write_bytes(DATA)
    with serve_ftp(tmp_path / "site") as site:
        site.breaks = [100_000]
        assert fetch(remote(f"{site.url}/pub/set.tar"), tmp_path).read_bytes() == DATA
        assert [name for name, _ in site.asked] == ["set.tar", "set.tar"]


def test_wrong_checksum(site, tmp_path):
    """A mirror with another file is passed over, and leaves nothing to go on from."""
    (site.folder / "other").write_bytes(DATA[::-1])
    with pytest.raises(DatasetError, match=r"it has the sha256 .* instead of"):
        fetch(remote(f"{site.url}/other"), tmp_path)
    assert [path for path in tmp_path.iterdir() if path.is_file()] == []

    fetch(remote(f"{site.url}/other", f"{site.url}/set.tar"), tmp_path)
    assert (tmp_path / "set.tar").read_bytes() == DATA


def test_placed_file_is_verified(tmp_path):
    """By hand, the wrong one; it is not removed."""
    (tmp_path / "set.tar").write_bytes(b"other")
    with pytest.raises(DatasetError, match=r"set\.tar has the sha256 .*dataset\.verify=false"):
        fetch(remote(), tmp_path)
    assert fetch(remote(), tmp_path, verify=False).read_bytes() == b"other"


def test_unknown_checksum_is_recorded(tmp_path):
    """In sha256sum's form; a later change is noticed."""
    file = tmp_path / "set.tar"
    file.write_bytes(DATA)
    unknown = Remote("set.tar", ())
    check_file(file, unknown)
    check_file(file, unknown)
    assert (tmp_path / "set.tar.sha256").read_text() == f"{hashlib.sha256(DATA).hexdigest()}  set.tar\n"

    file.write_bytes(DATA[:-1])
    with pytest.raises(DatasetError, match="has the sha256"):
        check_file(file, unknown)


def tar(path, members, mode="w:gz"):
    """An archive of names and contents."""
    with tarfile.open(path, mode) as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def zipped(path, members):
    """The same as a zip."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def test_archives_share_a_tree(tmp_path):
    """What is there stays; members of the same name are replaced; a plain tar may be called .tar.gz."""
    unpack(tar(tmp_path / "a.tar.gz", {"tree/a": b"1", "tree/both": b"1"}, "w:"), tmp_path)
    unpack(zipped(tmp_path / "b.zip", {"tree/b": b"2", "tree/both": b"2"}), tmp_path)

    found = {path.name: path.read_bytes() for path in (tmp_path / "tree").iterdir()}
    assert found == {"a": b"1", "b": b"2", "both": b"2"}
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("name", ["../evil", "tree/../../evil"])
@pytest.mark.parametrize("make", [tar, zipped])
def test_escape_is_refused(tmp_path, make, name):
    """And nothing of the archive is left."""
    archive = make(tmp_path / "x", {"fine": b"1", name: b"2"})
    with pytest.raises(DatasetError, match=r"cannot be unpacked: .*evil.* would be"):
        unpack(archive, tmp_path / "in")

    assert not (tmp_path / "evil").exists()
    assert list((tmp_path / "in").iterdir()) == []


def test_link_out_is_refused(tmp_path):
    """A symbolic link that points outside."""
    with tarfile.open(tmp_path / "x", "w") as archive:
        info = tarfile.TarInfo("link")
        info.type, info.linkname = tarfile.SYMTYPE, "../../etc"
        archive.addfile(info)
    with pytest.raises(DatasetError, match="outside"):
        unpack(tmp_path / "x", tmp_path / "in")


@pytest.mark.parametrize("make", [tar, zipped])
def test_half_an_archive(tmp_path, make):
    """Nothing of it is left."""
    archive = make(tmp_path / "x", {"one": DATA, "two": DATA})
    archive.write_bytes(archive.read_bytes()[:400_000])
    with pytest.raises(DatasetError, match="x cannot be unpacked"):
        unpack(archive, tmp_path / "in")

    assert list((tmp_path / "in").iterdir()) == []


UNKNOWN = "no checksum is published and the address is not https.*dataset.allow_unverified=true"


def test_nothing_vouches_for_it(site, tmp_path):
    """Neither a checksum nor https: asked about before anybody is called, mirrors too; this machine is trusted."""
    unknown = Remote("set.tar", ("http://nobody.invalid/set.tar", "ftp://nobody.invalid/set.tar"))
    with pytest.raises(DatasetError, match=f"{UNKNOWN}.*{UNKNOWN}.*{UNKNOWN}"):
        fetch(unknown, tmp_path, mirrors=["http://mirror.invalid/sets"])
    with pytest.raises(DatasetError, match=r"set\.tar: (Name or service not known|Temporary failure)"):
        fetch(unknown, tmp_path, allow_unverified=True)

    fetch(unknown, tmp_path, mirrors=[site.url])
    assert (tmp_path / "set.tar.sha256").is_file()


def test_sent_on_to_where_nothing_vouches(site, tmp_path, monkeypatch):
    """An https address that redirects to plain http is no better; a stand-in for the answer says where it came from."""
    from offshelf.dataset.published import download

    answer = urlopen(f"{site.url}/set.tar")
    answer.url = "http://elsewhere.invalid/set.tar"
    monkeypatch.setattr(download, "urlopen", lambda request, timeout: answer)
    with pytest.raises(DatasetError, match=UNKNOWN):
        fetch(Remote("set.tar", ("https://example.org/set.tar",)), tmp_path)
    assert not (tmp_path / "set.tar").exists()
