"""What is found in folders: each real file once, what is a system's left alone, all that is not taken named."""

import os
import time

import numpy as np
import pytest
from PIL import Image
from trees import picture, tree

from offshelf.dataset import Folder
from offshelf.dataset.folder import image_files
from offshelf.errors import DatasetError


@pytest.fixture
def root(tmp_path):
    """Two classes of four images."""
    return tree(tmp_path / "set", "cat", "dog")


def taken(root, **settings):
    """Names of the samples."""
    return [sample.id for sample in Folder(str(root), **settings).unsplit().samples]


def not_taken(root):
    """Reasons by name."""
    return {one.id: one.why for one in Folder(str(root)).unsplit().not_taken}


ALL = [f"{name}/{number}.png" for name in ("cat", "dog") for number in range(4)]

SYSTEMS = [
    *("cat/@eaDir/0.png/SYNOPHOTO_THUMB_M.png", "cat/.thumbnails/0.png", "__MACOSX/cat/0.png", "cat/._0.png"),
    *("cat/.ipynb_checkpoints/0-checkpoint.png", "@eaDir/x.png", "#recycle/cat/0.png", "cat/.@__thumb/0.png"),
    *("$RECYCLE.BIN/0.png", "lost+found/0.png", "System Volume Information/0.png", "cat/SYNOFILE_THUMB_M.png"),
    *("cat/Thumbs.db", "cat/desktop.ini", "cat/.DS_Store", "@Recycle/0.png", "cat/.hidden.png", "cat/Icon\r"),
]


@pytest.mark.parametrize("name", SYSTEMS)
def test_what_systems_leave(root, name):
    """Is no image, whatever it holds, nor a class; it is named."""
    picture(root / name)
    assert taken(root) == ALL
    (why,) = not_taken(root).values()
    assert why == "hidden, or a file of the system"


def test_link_to_its_own_folder(root):
    """Each image once; also through the root, through two links, and to a file."""
    (root / "cat/again").symlink_to("../cat")
    (root / "cat/up").symlink_to("..")
    (root / "dog/deep").mkdir()
    (root / "dog/deep/again").symlink_to("..")
    (root / "dog/deep/this").symlink_to(".")
    (root / "dog/0-again.png").symlink_to("0.png")
    (root / "dog/twice.png").symlink_to("0-again.png")
    (root / "root").symlink_to(".")

    assert taken(root) == ALL
    assert set(not_taken(root)) == {
        *("cat/again", "cat/up", "dog/deep/again", "dog/deep/this", "dog/0-again.png", "dog/twice.png", "root")
    }


def test_many_links_in_circles_are_quick(root):
    """Forty folders, each with links to all others of its class, where a naive walk never ends."""
    for number in range(40):
        picture(root / f"cat/sub{number}/x.png")
        for other in range(40):
            (root / f"cat/sub{number}/link{other}").symlink_to(f"../sub{other}")
    start = time.perf_counter()

    assert len(taken(root)) == 48
    assert time.perf_counter() - start < 5


def test_links_to_elsewhere(root, tmp_path):
    """Are what they lead to, once; in the order of their names."""
    picture(tmp_path / "pool/a.png")
    picture(tmp_path / "pool/sub/b.png")
    (root / "cat/a.png").symlink_to(tmp_path / "pool/a.png")
    (root / "cat/twin.png").symlink_to(tmp_path / "pool/a.png")
    (root / "dog/00").symlink_to(tmp_path / "pool/sub")
    (root / "owl").symlink_to(tmp_path / "owls")
    picture(tmp_path / "owls/o.png")

    assert taken(root) == [*ALL[:4], "cat/a.png", ALL[4], "dog/00/b.png", *ALL[5:], "owl/o.png"]
    assert not_taken(root) == {"cat/twin.png": f"a link to {tmp_path}/pool/a.png, which is already read"}


@pytest.mark.parametrize(
    ("link", "target"),
    [
        *(("dog/cats", "../cat"), ("cat/dogs", "../dog"), ("dog/x.png", "../cat/0.png"), ("cat/x.png", "../dog/0.png")),
        ("owl", "cat"),
    ],
)
def test_one_file_in_two_classes(root, link, target):
    """Through a link: asked about, whichever is read first."""
    (root / link).symlink_to(target)
    with pytest.raises(DatasetError, match=r"are the same .*, through a link; an image has one class.*ignore="):
        taken(root)
    assert taken(root, ignore=[link]) == ALL


def test_one_file_outside_in_two_classes(root, tmp_path):
    """Two links to a third place."""
    picture(tmp_path / "pool.png")
    for name in ("cat", "dog"):
        (root / name / "x.png").symlink_to(tmp_path / "pool.png")
    with pytest.raises(DatasetError, match="an image has one class"):
        taken(root)


def test_hard_links_and_copies_are_files_of_their_own(root):
    """What a tool against duplicates does to a disk changes no score; that they are equal is told elsewhere."""
    os.link(root / "cat/0.png", root / "cat/4.png")
    assert len(taken(root)) == 9


def test_link_to_nothing(root):
    """Named as an image it is one that cannot be read; else it is left out."""
    (root / "cat/gone.png").symlink_to("nothing.png")
    (root / "cat/gone").symlink_to("nothing")
    assert "cat/gone.png" in taken(root)
    assert not_taken(root) == {"cat/gone": "cannot be read: No such file or directory"}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *(("x.jfif", "JPEG"), ("x.JPG", "JPEG"), ("x", "PNG"), ("x.jpg_large", "JPEG"), ("scan.0001", "TIFF")),
        *(
            ("x.avif", "AVIF"),
            ("x.image", "GIF"),
            ("x.dat", "WEBP"),
            ("x.j", "JPEG2000"),
            ("0", "PPM"),
            ("b.bin", "BMP"),
        ),
    ],
)
def test_images_of_unusual_names(root, name, kind):
    """By their content; that is said where the name does not tell."""
    Image.new("RGB", (20, 20), "red").save(root / "cat" / name, kind)
    images = Folder(str(root)).unsplit()

    assert f"cat/{name}" in {sample.id for sample in images.samples}
    assert images.notes in ((), (f"1 image(s) by content, not name: cat/{name}.",))


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("notes.txt", b"\xff\xd8\xff", "not an image by its name"),
        ("README", b"hello", "not an image by its content"),
        ("BMW", b"BMW is a brand of cars, and no bitmap", "not an image by its content"),
        ("x.jpg.part", b"\xff\xd8\xff", "an unfinished download"),
        ("x.jpg~", b"\xff\xd8\xff", "a program's backup"),
        ("x.nef", b"MM\0*", "raw file"),
        ("x.psd_old", b"8BPS", "an image format that is not supported"),
        ("page.eps", b"%!PS-Adobe-3.0", "not an image by its name"),
        ("page", b"%!PS-Adobe-3.0", "an image format that is not supported"),
        ("empty", b"", "not an image by its content"),
    ],
)
def test_what_is_no_image(root, name, data, why):
    """Named, with the reason."""
    (root / "cat" / name).write_bytes(data)
    assert taken(root) == ALL
    assert why in not_taken(root)[f"cat/{name}"]


def test_link_to_what_is_hidden(root):
    """As annexes and caches of data have it: what is hidden is no sample, a link to it is."""
    picture(root / "cat/.store/1")
    picture(root / "cat/.x.png")
    (root / "cat/a.png").symlink_to(".store/1")
    (root / "cat/b.png").symlink_to(".x.png")
    assert taken(root) == [*ALL[:4], "cat/a.png", "cat/b.png", *ALL[4:]]


def test_pipes_are_not_read(root):
    """They would never end."""
    os.mkfifo(root / "cat/pipe.png")
    os.mkfifo(root / "cat/pipe")
    (root / "cat/link.png").symlink_to("pipe.png")
    assert taken(root) == ALL
    assert set(not_taken(root).values()) == {"a pipe, a device or the like"}


def test_class_of_what_is_not_read(root):
    """Why it holds no images."""
    (root / "owl").mkdir()
    (root / "owl/x.psd").write_bytes(b"8BPS")
    with pytest.raises(
        DatasetError,
        match=r"owl holds no images .*owl/x\.psd \(an image format that is not supported.*dataset\.ignore",
    ):
        taken(root)


def test_names_that_are_no_utf8(tmp_path):
    """They load, and are readable in tables."""
    folder = os.fsdecode(b"caf\xe9")
    tree(tmp_path / "set", folder, "dog")
    images = Folder(str(tmp_path / "set")).unsplit()

    assert images.classes == ("caf\\xe9", "dog")
    assert images.samples[0].id == "caf\\xe9/0.png"
    assert images.samples[0].image.load().shape == (8, 8, 3)
    images.samples[0].id.encode("utf-8")


def test_classes_that_may_be_a_level_deeper(tmp_path):
    """Are said to be read as they are."""
    tree(tmp_path, "2020/cat", "2020/dog", "2021/cat", "2021/dog")
    (note,) = Folder(str(tmp_path)).load().notes
    assert note.startswith("All class folders contain the same folders (cat, dog)")


def test_ignored(root):
    """Names anywhere, paths from the root."""
    tree(root, "cat/masks", "dog/masks")
    assert taken(root, ignore=["masks"]) == ALL
    assert taken(root, ignore=["cat/masks", "dog/masks/[0-9].png"]) == ALL
    assert taken(root, ignore=["masks", "dog/[12].png"]) == [*ALL[:5], ALL[7]]


def test_images_of_a_folder_to_predict(root, caplog):
    """The same rules, without classes."""
    (root / "cat/again").symlink_to("../cat")
    (root / "notes.txt").write_text("x")
    assert [path.relative_to(root).as_posix() for path in image_files(root)] == ALL
    assert "2 file(s) are left out" in caplog.text


def test_order_is_that_of_paths(root, tmp_path):
    """With links as without them: what is drawn from it depends on it."""
    tree(root, "cat/b", "cat/b-c")
    before = taken(root)
    (root / "cat/aa.png").symlink_to("0.png")
    assert taken(root) == before == sorted(before, key=lambda name: name.split("/"))
    assert np.unique(before).size == 16
