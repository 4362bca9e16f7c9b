"""A table of files is as the list of them: the same images, samples and digests, in a fraction of the memory."""

import os
import pickle
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from offshelf.dataset import Folder, ImageFile, check_images, digests
from offshelf.dataset.files import Files
from offshelf.dataset.imageset import FileSamples
from offshelf.dataset.location import Paths
from offshelf.errors import ImageError

NAMES = ["a/1.png", "a b/ä 2.png", "c/deep/3.png"]


@pytest.fixture
def files(tmp_path):
    """Three, no two alike."""
    for number, name in enumerate(NAMES):
        (tmp_path / name).parent.mkdir(parents=True)
        Image.new("RGB", (4, 4), (number, 0, 0)).save(tmp_path / name)
    return Files(Paths(tmp_path, iter(NAMES)), (1, 2, 3))


def plain(files):
    """The same as objects."""
    return [ImageFile(files.locations.root / name, files.background) for name in NAMES]


def test_as_a_list(files):
    """By number, from the end, in parts, by rows of NumPy's."""
    assert list(files) == plain(files) == files[0:3]
    assert files[-1] == plain(files)[-1]
    assert files[np.int64(1)] == plain(files)[1]
    assert list(files.take(np.array([2, 0]))) == [plain(files)[2], plain(files)[0]]
    with pytest.raises(IndexError):
        files[3]


def test_digests_are_taken_once(files):
    """They are those of the objects; a file that changes later is refused, in a part and in another process too."""
    expected = [image.digest for image in plain(files)]
    assert list(digests(files)) == expected
    part = files.take(np.array([1, 2]))
    (files.locations.root / NAMES[1]).write_bytes((files.locations.root / NAMES[0]).read_bytes())

    assert list(digests(files)) == expected
    assert list(digests(part)) == expected[1:]
    for image in (files[1], part[0], pickle.loads(pickle.dumps(files))[1], pickle.loads(pickle.dumps(files[1]))):
        with pytest.raises(ImageError, match="was changed while it was in use"):
            image.load()


def test_checking_notes_the_digests(files):
    """No file is read again for them."""
    expected = [image.digest for image in plain(files)]
    check_images(files)
    for name in NAMES:
        (files.locations.root / name).unlink()
    assert list(digests(files)) == expected


def test_names_of_any_bytes(tmp_path):
    """File systems know no encoding."""
    name = os.fsdecode(b"caf\xe9/1.png")
    assert Files(Paths(tmp_path, [name]))[0].path == tmp_path / name


def test_samples(files):
    """Name, image and class; some of them."""
    samples = FileSamples(files, np.array([0, 1, 1], np.int32))
    assert [(one.id, one.image, one.target) for one in samples] == list(
        zip(NAMES, plain(files), [0, 1, 1], strict=True)
    )
    assert [one.id for one in samples.take(np.array([2]))] == NAMES[2:]


def test_order_of_a_folder(tmp_path):
    """As sorted paths are, part by part: what is drawn from it depends on it."""
    names = ["b/x.png", "b-c/x.png", "b.png", "a/z/1.png", "a/y.png", "B/x.png"]
    for name in names:
        for label in ("cat", "dog"):
            path = tmp_path / label / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    found = [Path(sample.id) for sample in Folder(str(tmp_path)).unsplit().samples]
    assert found == sorted(found)
    assert len(found) == 2 * len(names)


def test_memory_of_many(tmp_path):
    """Some 45 bytes an image beside its name, where objects take 700."""
    count = 20_000
    tracemalloc.start()
    samples = FileSamples(
        Files(Paths(tmp_path, (f"{number:06}.png" for number in range(count)))), np.zeros(count, np.int32)
    )
    for number in range(count):
        samples.files.note(number, "ab" * 32)
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken / count < 80
