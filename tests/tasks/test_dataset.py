"""`offshelf dataset`: what is printed of a set, and what of a copy that is missing or damaged."""

import subprocess

import pytest
import warm
from miniature import write

from offshelf.config import build, load
from offshelf.dataset import Described, Digits, Voc2007
from offshelf.errors import BadImagesError, DatasetError


def describe(*overrides):
    """The task, as the command line builds it, and its result printed."""
    build(load("dataset", list(overrides)))().show()


def rows(capsys):
    """Second cells by first cells of what was printed, and the lines."""
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    return {line.split("  ")[0]: line.split("  ")[-1].strip() for line in lines if "  " in line}, lines


def test_digits(capsys):
    """A set without an origin: sizes alone."""
    describe("dataset=digits")
    cells, lines = rows(capsys)

    assert cells["samples"] == "1,797"
    assert (cells["train"], cells["test"]) == ("898", "899")
    assert cells["classes"] == "10: 0, 1, 2, 3, 4, …"
    assert cells["metric"] == "accuracy"
    assert lines[-1] == "Every image can be read: 1,797"
    assert "licence" not in cells


def test_several_labels(tmp_path, capsys):
    """Labels per image and what is not counted, from the objects of the miniature."""
    write("voc2007", tmp_path / "voc2007")
    describe("dataset=voc2007", f"dataset.root={tmp_path}", "dataset.verify=false")
    cells, lines = rows(capsys)

    assert "PASCAL VOC 2007, image classification" in lines
    assert cells["name"] == "voc2007"
    assert cells["licence"].endswith("Flickr's terms of use")
    assert (cells["train"], cells["test"]) == ("6", "4")
    assert cells["labels a sample"] == "4.40, 0 to 19"  # 1, 1, 1, 0, 2, 18 and 2, 0, 19, 0
    assert cells["not counted"] == "1.5% of all labels"  # 3 of 200
    assert cells["metric"] == "mAP_11pt"
    assert "No checksum was compared: no published file is here, or dataset.verify=false" in lines


def test_folds(tmp_path, capsys):
    """Sizes of each fold."""
    write("dtd", tmp_path / "dtd")
    describe("dataset=dtd", "dataset.partition=all", f"dataset.root={tmp_path}", "dataset.verify=false")
    cells, _ = rows(capsys)

    assert cells["samples"] == "18"
    assert cells["train"] == "12, in each of 10 folds"
    assert cells["test, a class"] == "6 over all folds"


def test_retrieval(tmp_path, capsys):
    """References, queries, and what each should find."""
    write("paris6k", tmp_path / "paris6k")
    describe("dataset=paris6k", "dataset.count_corrupt=true", f"dataset.root={tmp_path}", "dataset.verify=false")
    cells, lines = rows(capsys)

    assert cells["name"] == "paris6k"
    assert (cells["references"], cells["queries"]) == ("4", "2")
    assert cells["relevant a query"] == "3.50, 3 to 4"
    assert cells["relevant, but missing"] == "2 in all, counted as never found"
    assert "ignored a query" not in cells
    assert cells["metric"] == "mAP"
    assert "Every image can be read: 6" in lines  # two queries are parts of images


def test_retrieval_protocols(tmp_path, capsys):
    """A row for each."""
    write("roxford5k", tmp_path / "oxford5k")
    describe("dataset=roxford5k", f"dataset.root={tmp_path}", "dataset.verify=false")
    cells, _ = rows(capsys)

    assert cells["relevant a query, medium"] == "2.00, 1 to 3"
    assert cells["ignored a query, easy"] == "2.00, 1 to 3"
    assert cells["nothing to find, easy"] == "1 queries, not counted"
    assert cells["metric"] == "medium/mAP"


def test_checksums(tmp_path, capsys, monkeypatch):
    """Named where they were compared; a file that changed later is an error."""
    monkeypatch.setattr("offshelf.dataset.published.h3d.H3d.sizes", lambda self: None)
    write("h3d", tmp_path / "h3d")
    describe("dataset=h3d", f"dataset.root={tmp_path}")
    assert "Checksums verified: attributes_dataset.tgz" in rows(capsys)[1]
    with (tmp_path / "h3d/attributes_dataset.tgz").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(DatasetError, match="has the sha256"):
        describe("dataset=h3d", f"dataset.root={tmp_path}")


def test_damaged_images(tmp_path):
    """All are named; unless images are not to be read."""
    write("voc2007", tmp_path / "voc2007")
    settings = ("dataset=voc2007", f"dataset.root={tmp_path}", "dataset.verify=false")
    describe(*settings)
    images = tmp_path / "voc2007/VOCdevkit/VOC2007/JPEGImages"
    (images / "000004.jpg").unlink()
    (images / "000006.jpg").write_bytes(b"no image")
    with pytest.raises(BadImagesError, match=r"2 image\(s\).*\n.*000004.*\n.*000006"):
        describe(*settings)
    describe(*settings, "read_images=false")


def test_what_describes_itself():
    """Published sets do, folders and digits do not."""
    assert isinstance(Voc2007(root="x"), Described)
    assert not isinstance(Digits(), Described)


def run(*arguments, cwd):
    """A finished `offshelf dataset`."""
    command = [warm.program(), "dataset", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=600, check=False)


def test_command_says_what_to_place_where(tmp_path):
    """The name alone is enough; what is known is printed, and the exit code tells that it is missing."""
    done = run("uiuc_attributes", "dataset.download=false", f"dataset.root={tmp_path}", cwd=tmp_path)

    assert done.returncode == 1
    assert "Farhadi" in done.stdout
    assert f"{tmp_path}/uiuc_attributes/attribute_data.tar.gz is missing" in done.stderr
    assert "Traceback" not in done.stderr


def test_command_without_a_name(tmp_path):
    """Lists what there is."""
    done = run(cwd=tmp_path)

    assert done.returncode == 0
    assert "voc2007          PASCAL VOC 2007, 20 classes" in done.stdout
    assert "\ncsv " in done.stdout


def test_command_misspelt(tmp_path):
    """The nearest name."""
    done = run("voc207", cwd=tmp_path)

    assert done.returncode == 1
    assert "did you mean 'voc2007'?" in done.stderr
