"""What an exported model answers, without a server: images in every form, and what is none of them."""

import base64
import os
from urllib.parse import quote

import pytest

from offshelf.errors import ConfigError
from offshelf.serving import service as module
from offshelf.serving.service import Service

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning"
)


@pytest.fixture(scope="module")
def place(tmp_path_factory, noise_run):
    """A run on two classes of noise, and its images, with things beside them."""
    place = noise_run(tmp_path_factory.mktemp("place"))
    (place / "secret.png").write_bytes((place / "images/test/a/10.png").read_bytes())
    (place / "images/link.png").symlink_to(place / "secret.png")
    (place / "images/inside.png").symlink_to(place / "images/test/a/10.png")
    (place / "images/loop.png").symlink_to(place / "images/loop.png")
    os.mkfifo(place / "images/pipe.png")
    return place


@pytest.fixture(scope="module")
def raw(place):
    """An image file's bytes."""
    return (place / "images/test/a/10.png").read_bytes()


@pytest.fixture(scope="module")
def closed(place):
    """A service that was given no folder."""
    return Service.of(place / "out")


@pytest.fixture(scope="module")
def opened(place):
    """A service that answers paths in a folder."""
    return Service.of(place / "out", str(place / "images"))


def forms(raw):
    """One image as clients send it."""
    text = base64.b64encode(raw).decode()
    return [
        raw,
        bytearray(raw),
        text,
        base64.encodebytes(raw).decode(),
        text.replace("=", "").replace("+", "-").replace("/", "_"),
        f" {text}\r\n",
        f"data:image/png;base64,{text}",
        f"data:;base64,{text}",
        f"data:image/png;name=a.png;base64,{quote(text, safe='')}",
        f"data:image/png,{quote(raw, safe='')}",
    ]


def test_every_form_is_the_same_image(closed, raw):
    """Bytes, base64 as encoders write it, data: URLs as RFC 2397 has them."""
    answers = closed.answer(forms(raw))

    assert [answer["error"] for answer in answers] == [None] * len(forms(raw))
    assert [answer["class"] for answer in answers] == ["a"] * len(answers)
    assert [answer["score"] for answer in answers] == pytest.approx([answers[0]["score"]] * len(answers), rel=1e-12)


BAD = [
    *(None, float("nan"), 3, [1, 2], {}, "", b"", " ", "data:", "data:image/png;base64,", "data:image/png;base64"),
    *("/etc/passwd", "file:///etc/passwd", "http://127.0.0.1/a.png", "a\0b", "x" * 5000, base64.b64encode(b"hello")),
]


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: repr(bad)[:20])
def test_a_bad_image_spoils_no_other(bad, closed, raw):
    """Its own row says what is wrong in one sentence, and the others are answered."""
    first, wrong, last = closed.answer([raw, bad, raw])

    assert first["error"] is last["error"] is None
    assert first["class"] == last["class"] == "a"
    assert first["score"] == pytest.approx(last["score"], rel=1e-12)
    assert (wrong["class"], wrong["score"], wrong["scores"]) == (None, None, None)
    assert wrong["error"] and "\n" not in wrong["error"] and list(wrong) == list(first)


def test_none_and_only_bad(closed):
    """No rows are no error, and where all are bad each says so."""
    assert closed.answer([]) == []
    assert [answer["class"] for answer in closed.answer([b"no image", None])] == [None, None]


def test_paths_in_the_folder_alone(opened, place, raw):
    """As paths in it, whole, or through a link that stays inside."""
    whole = str(place / "images/test/a/10.png")
    answers = opened.answer(["test/a/10.png", "./test/../test/a/10.png", whole, "inside.png", raw])

    assert {answer["error"] for answer in answers} == {None}
    assert [answer["score"] for answer in answers] == pytest.approx([answers[-1]["score"]] * 5, rel=1e-12)
    assert answers[0]["image"] == "test/a/10.png"


def test_nothing_tells_what_is_outside(opened, place):
    """There or not: the same words, of paths, links that lead out, folders, pipes."""
    there = [str(place / "secret.png"), "../secret.png", "link.png", "test/../../secret.png", "/etc/host.conf"]
    missing = [
        str(place / "none.png"),
        "../none.png",
        "none.png",
        "loop.png",
        "pipe.png",
        "/etc/none.png",
        "a/b.png/",
        "test/./a/",
    ]
    answers = opened.answer([*there, *missing])

    assert len({answer["error"] for answer in answers}) == 1
    assert "or the path of one in the folder of images" in answers[0]["error"]
    there, missing = opened.answer(["/etc/passwd", "/etc/passwx"])  # base64's letters
    assert there["error"] == missing["error"] is not None


def test_no_path_is_looked_at_without_a_folder(closed, place, monkeypatch):
    """Not even whether it is there."""
    monkeypatch.setattr(Service, "warm_up", None)
    for name in ("stat", "open", "lstat", "readlink"):
        monkeypatch.setattr(os, name, lambda *_, **__: pytest.fail("a path was looked at"))
    found = closed._path(str(place / "secret.png"))
    monkeypatch.undo()

    assert found is None


def test_sizes_are_bounded(place, opened, raw, monkeypatch):
    """Before anything is decoded, or read beyond the limit."""
    small = Service(opened.predictor, opened.images, largest=len(raw) - 1)
    text = base64.b64encode(raw).decode()
    answers = small.answer([raw, text, f"data:image/png;base64,{text}", "test/a/10.png", text * 9])
    monkeypatch.setattr(module, "LARGEST_REQUEST", 2)

    assert [answer["error"].partition(",")[0] for answer in answers] == ["It is larger than 0 MiB"] * 5
    with pytest.raises(ConfigError, match="3 images in one request; at most 2 are accepted"):
        small.answer([raw] * 3)


def test_blocks_make_one_answer(opened, raw, monkeypatch):
    """In the order of the request."""
    monkeypatch.setattr(module, "BLOCK", 2)
    answers = opened.answer(["test/a/10.png", b"bad", "test/b/11.png", raw, "test/a/12.png"])

    assert [answer["image"] for answer in answers][::2] == ["test/a/10.png", "test/b/11.png", "test/a/12.png"]
    assert [answer["class"] for answer in answers] == ["a", None, "b", "a", "a"]
