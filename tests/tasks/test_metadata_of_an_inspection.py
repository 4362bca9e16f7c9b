"""The command on the page of an inspection reads `metadata.csv` as the set that was inspected, whatever it holds."""

import csv
import re
import shlex
from html import unescape

import numpy as np
import photographs
import pytest
from PIL import Image
from pyarrow import parquet

import offshelf
from offshelf.config import components, load, plain
from offshelf.config.trust import Trust
from offshelf.dataset import Csv, Folder
from offshelf.report.cell import read_csv


def commands(found):
    """The commands of the page of an inspection, as words."""
    page = (found.folder / "inspection.html").read_text(encoding="utf-8")
    return [shlex.split(unescape(text)) for text in re.findall(r"<code>(.*?)</code>", page)]


def read_again(found):
    """The set that the first command of the page reads."""
    (_, task, *overrides), _ = commands(found)
    assert task == "classify"
    config = plain(load("classify", [*overrides, "backbone=pixels"]))
    return components(config, ("dataset",), Trust(everything=True))["dataset"].load()


def write_pictures(folder, count):
    folder.mkdir()
    for number in range(count):
        pixels = np.random.default_rng(number).integers(0, 256, (9, 9, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")


def inspected_table(folder, labels, out, **more):
    """An inspection of a table of random pictures with these labels."""
    write_pictures(folder / "photos", len(labels))
    with (folder / "table.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(
            [("path", "label", "who"), *((f"photos/{n}.png", one, n // 2) for n, one in enumerate(labels))]
        )
    table = Csv(str(folder / "table.csv"), **more)
    return table.load(), offshelf.inspect(table, backbone="pixels", store=None, output_dir=out)


@pytest.mark.parametrize(
    ("labels", "more"),
    [
        (["a;b", "c|d", "a;b|", "c"] * 6, {"separator": "none"}),
        (["a;b|c", "c", "a;b", "d|c"] * 6, {"separator": "|"}),
        (["a;b,c|d", "c|d", "a;b", "c|d,a;b"] * 6, {"separator": ","}),
        ([12345678.9 + number / 8 for number in range(24)], {"target": "number"}),
        (["a", "a", "b", "b"] * 6, {"group": "who"}),
    ],
)
def test_the_command_reads_the_set_again(labels, more, tmp_path):
    """Whatever signs are in its labels, to the last digit of its numbers, with its groups, in a folder of any name."""
    given, found = inspected_table(tmp_path, labels, tmp_path / "it's, (odd)=é", **more)
    again = read_again(found)

    assert again.classes == given.classes or given.kind == "number"
    assert again.kind == given.kind
    assert again.targets.tolist() == given.targets.tolist()
    assert [fold.test.tolist() for fold in again.folds] == [fold.test.tolist() for fold in given.folds]
    assert (again.groups is None) == (given.groups is None)
    table = parquet.read_table(found.folder / "inspection.parquet").to_pydict()
    if given.kind == "number":
        assert table["label"] == labels


def test_draws_keep_their_test_images(tmp_path):
    """Training images are drawn, test images are given: they are tested on again."""
    photos = tmp_path / "photos"
    photographs.write_folder(photos, 6, 3)
    given = Folder(str(photos), shots=[2], draws=2)
    again = read_again(offshelf.inspect(given, backbone="pixels", store=None, output_dir=tmp_path / "out"))
    (fold,) = again.folds
    tested = {str(again.samples[row].image.path) for row in fold.test}

    assert tested == {str(path) for path in (photos / "test").rglob("*.jpg")}


def test_the_command_decodes_as_the_inspection_did(tmp_path):
    """What is behind transparent pixels, and the range of deep ones."""
    _, found = inspected_table(tmp_path, ["a", "b"] * 8, tmp_path / "out", background="black", value_range=[0, 4095.5])
    (image, *_) = read_again(found).pictures

    assert (image.background, image.value_range) == ((0, 0, 0), (0, 4095.5))


def test_names_that_are_not_utf8(tmp_path):
    """They are named by escapes in every table, and the same way."""
    for number in range(24):
        folder = tmp_path / "photos" / ("caf\udce9" if number % 2 else "b")
        folder.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 256, (9, 9, 3), np.uint8)
        with (folder / f"\udcff{number}.png").open("wb") as file:
            Image.fromarray(pixels).save(file, "PNG")
    found = offshelf.inspect(tmp_path / "photos", backbone="pixels", store=None, output_dir=tmp_path / "out")
    table = parquet.read_table(found.folder / "inspection.parquet").to_pydict()
    _, *rows = read_csv((found.folder / "metadata.csv").read_text(encoding="utf-8"))

    for labels in (table["label"], table["suggested_label"], [row[1] for row in rows], found.metadata["label"]):
        assert set(labels) == {"b", r"caf\xe9"}
    assert table["path"] == [row[0] for row in rows]
    assert all(r"/\xff" in path for path in table["path"])
