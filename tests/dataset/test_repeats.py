"""The same bytes in training and testing, as query and reference, with two labels: counted and named in every run."""

import csv
import hashlib
import json
import os
import shutil
import time

import numpy as np
import pytest
from trees import picture, tree

from offshelf.dataset import Csv, Folder, ImageFile, LeftOut, as_retrieval
from offshelf.dataset.files import Files
from offshelf.dataset.imageset import FileSamples, Fold, ImageSet
from offshelf.dataset.location import Paths
from offshelf.dataset.repeats import equal_groups
from offshelf.dataset.retrieval_set import RetrievalItem, RetrievalSet, Truth
from offshelf.report import csv_text, found_line, left_out_table, repeats_line
from offshelf.tasks.recommend.sample import training_images


@pytest.fixture
def root(tmp_path):
    """Six images a class to train on, three to test on, no two alike."""
    tree(tmp_path / "set", "train/cat", "train/dog", count=6)
    return tree(tmp_path / "set", "test/cat", "test/dog", count=3)


def test_none(root):
    """Counted all the same."""
    repeats = Folder(str(root)).load().repeats
    assert repeats.counts == {"data/leaked_test": 0.0}
    assert repeats.table == {"group": [], "id": [], "part": [], "label": []}
    assert repeats_line(Folder(str(root)).load()) == ""


def test_leaks_and_labels(root):
    """A copy in testing, one in testing with another label, two in training."""
    shutil.copy(root / "train/cat/0.png", root / "test/cat/copy.png")
    shutil.copy(root / "train/dog/1.png", root / "test/cat/other.png")
    shutil.copy(root / "train/dog/2.png", root / "train/dog/2-again.png")
    images = Folder(str(root)).load()

    assert images.repeats.counts == {"data/leaked_test": 2.0, "data/two_labels": 2.0}
    assert list(zip(*images.repeats.table.values(), strict=True)) == expected(images)
    told = repeats_line(images).splitlines()
    assert told[0].startswith(
        "Warning: 2 of 8 test images are also training images, byte for byte (test/cat/copy.png = "
    )
    assert "test/cat/other.png (cat) = train/dog/1.png (dog)" in told[1]


def expected(images):
    """The table, from the digests of the files, one by one."""
    by_digest = {}
    for sample in images.samples:
        digest = hashlib.sha256(sample.image.path.read_bytes()).hexdigest()
        by_digest.setdefault(digest, []).append(sample)
    groups = [several for several in by_digest.values() if len(several) > 1]
    return [
        (number, one.id, one.id.split("/")[0], images.classes[one.target])
        for number, several in enumerate(groups, 1)
        for one in several
    ]


def test_folds(tmp_path):
    """A copy leaks where its equal is in training: never within one test part."""
    tree(tmp_path, "cat", "dog", count=6)
    shutil.copy(tmp_path / "cat/0.png", tmp_path / "cat/9.png")
    images = Folder(str(tmp_path), folds=3).load()
    pair = {row for row, sample in enumerate(images.samples) if sample.id in ("cat/0.png", "cat/9.png")}
    together = any(pair <= set(fold.test.tolist()) for fold in images.folds)
    assert images.repeats.counts == {"data/leaked_test": 0.0 if together else 2.0}


def test_training_images_alone(root):
    """Of what has nothing to test on: images that are there more than once."""
    shutil.copy(root / "train/cat/0.png", root / "train/cat/9.png")
    images = training_images(Folder(str(root)).load())
    assert images.repeats.counts == {"data/repeated_train": 2.0}
    assert "2 training image(s) occur more than once" in repeats_line(images)


def test_regions_count(tmp_path):
    """Two objects of one image are two images."""
    picture(tmp_path / "a.png")
    picture(tmp_path / "b.png")
    lines = ["path,label,split,x1,y1,x2,y2", "a.png,c,train,0,0,4,8", "b.png,d,train,0,0,4,8", "a.png,c,test,4,0,8,8"]
    (tmp_path / "t.csv").write_text("\n".join([*lines, "b.png,d,test,0,0,4,8"]))
    assert Csv(str(tmp_path / "t.csv")).load().repeats.counts == {"data/leaked_test": 1.0}


def test_groups_by_hand():
    """Numbers of equal images are equal, and no others."""
    images = [ImageFile(None).known_as(hashlib.sha256(bytes([n])).hexdigest()) for n in (3, 1, 3, 2, 1, 3)]
    groups = equal_groups(images)
    assert (groups[:, None] == groups[None]).tolist() == (
        np.array([3, 1, 3, 2, 1, 3])[:, None] == np.array([3, 1, 3, 2, 1, 3])[None]
    ).tolist()
    assert equal_groups([]).shape == (0,)


def test_costs_nothing(tmp_path):
    """A hundred thousand images, five of them in testing again."""
    count = 100_000
    files = Files(Paths(tmp_path, (f"{number}.png" for number in range(count))))
    digests_N32 = np.random.default_rng(0).integers(0, 256, (count, 32), dtype=np.uint8)
    digests_N32[-5:] = digests_N32[:5]
    for row in range(count):
        files.note(row, digests_N32[row].tobytes().hex())
    rows = np.arange(count)
    images = ImageSet("x", ("a",), FileSamples(files, np.zeros(count, np.int32)), (Fold(rows[:50_000], rows[50_000:]),))
    start = time.perf_counter()

    assert images.repeats.count == 5
    assert time.perf_counter() - start < 2


def test_queries_that_are_references(tmp_path):
    """Of a set of labels: images that have a copy; of a retrieval set: those that are no reference's own image."""
    tree(tmp_path, "cat", "dog")
    shutil.copy(tmp_path / "cat/0.png", tmp_path / "dog/copy.png")
    images = as_retrieval(Folder(str(tmp_path)).unsplit())
    assert images.repeats.counts == {"data/leaked_query": 2.0}
    assert images.repeats.table["id"] == ["cat/0.png", "dog/copy.png"]
    assert "2 of 9 queries are equal to a reference" in repeats_line(images)

    one, other, copy = (ImageFile(tmp_path / name) for name in ("cat/0.png", "cat/1.png", "dog/copy.png"))
    references = [RetrievalItem("one", one), RetrievalItem("other", other)]
    truths = {"": [Truth(np.array([0]), np.empty(0, np.int64))] * 3}
    queries = [RetrievalItem("same", one), RetrievalItem("copy", copy), RetrievalItem("own", other)]
    found = RetrievalSet("x", references, queries, truths).repeats
    assert found.count == 1
    assert found.pairs == (("copy", "one"),)
    assert list(zip(*found.table.values(), strict=True)) == [(1, "one", "reference", ""), (1, "copy", "query", "")]


@pytest.mark.slow
def test_in_a_run(root, tmp_path):
    """In metrics.json, data.json and a table; the score is what it was."""
    from test_tasks import run

    before = run(tmp_path, dataset=Folder(str(root)))
    assert json.loads((tmp_path / "out/metrics.json").read_text())["data/leaked_test"] == 0.0
    shutil.copy(root / "train/cat/0.png", root / "test/cat/0.png")
    (root / "train/cat/notes.txt").write_text("x")
    run(tmp_path, dataset=Folder(str(root)))
    data = json.loads((tmp_path / "out/data.json").read_text())

    assert 0 <= float(before) <= 1
    assert json.loads((tmp_path / "out/metrics.json").read_text())["data/leaked_test"] == 1.0
    assert (data["images"], data["folds"], data["not_taken"], data["data/leaked_test"]) == (18, [[12, 6]], 1, 1.0)
    with (tmp_path / "out/same_bytes.csv").open() as file:
        assert [row["id"] for row in csv.DictReader(file)] == ["train/cat/0.png", "test/cat/0.png"]
    with (tmp_path / "out/left_out.csv").open() as file:
        assert list(csv.DictReader(file)) == [
            {"id": "train/cat/notes.txt", "role": "none", "why": "not an image by its name"}
        ]


def test_names_that_are_no_utf8():
    """Are readable in the table, in the reason too."""
    name = os.fsdecode(b"caf\xe9.png")
    text = csv_text(left_out_table([LeftOut(name, "train", f"/data/{name} cannot be read.")]))
    assert text.encode().decode() == "id,role,why\ncaf\\xe9.png,train,/data/caf\\xe9.png cannot be read.\n"


def test_line_of_what_was_found(root):
    """What was taken, left out, and why, with the first few names."""
    for name in "abcde":
        (root / f"train/cat/{name}.txt").write_text("x")
    (root / "train/cat/.x").write_text("x")
    assert found_line(Folder(str(root)).load()) == (
        "set: 18 images of 2 classes, 12 to train on, 6 to test on. Left out: 1 hidden, or a file of the system "
        "(train/cat/.x); 5 not an image by its name (train/cat/a.txt, train/cat/b.txt, train/cat/c.txt and 2 more)."
    )
