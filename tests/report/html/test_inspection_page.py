"""The page of an inspection: what it says, within its size, whatever classes and names are."""

import json
import re

import numpy as np
import pytest
from inspected import contents_of, image_set, inspection_of, noise, shares

from offshelf.report.html.inspection.page import inspection_page
from offshelf.report.inspection_lines import found

HOSTILE = "\"><img src=x onerror=\"document.title='taken'\"></script><script>document.title='taken'</script>"


def page_of(inspection, limit=5e6, points=20_000, **more):
    return inspection_page(contents_of(inspection, **more), limit, points)


def plain(count=80, classes=4, wrong=(3, 50), **more):
    targets = np.arange(count) % classes
    images = image_set(targets, [f"class {number}" for number in range(classes)], **more)
    return inspection_of(images, probabilities=shares(targets, classes, wrong))


def test_lists_are_there():
    """Flagged labels first, each with what it looks like; a copy across the split among leaks and copies."""
    inspection = plain(picture=lambda row: noise(row if row != 70 else 6))
    page = page_of(inspection)
    cards = re.findall(r'<article class="card" data-given="(\d)" data-seen="(\d)" data-flagged="1"', page)

    assert {one.what: one.count for one in found(inspection)}["labels that are probably wrong"] == 2
    assert sorted(cards) == [("2", "3"), ("3", "0")]
    assert "The first 2 are flagged" in page
    assert (page.count(">looks like</span>"), page.count(">or perhaps</span>")) == (2, 10)
    assert [row[0] for row in zip(*inspection.leaked.values(), strict=True)] == [0]
    assert "the same bytes as a training image" in page
    assert re.search(r'<section id="copies">.*?<b>2 images</b>, the same bytes.*?train and test', page, re.S)


def test_names_are_text():
    """Of files and classes, in the markup and in what the script reads."""
    targets = np.arange(60) % 2
    images = image_set(targets, [HOSTILE, "plain"], names=[f"{row}{HOSTILE}" for row in range(60)])
    page = page_of(inspection_of(images, probabilities=shares(targets, 2, [3, 40])))
    markup, data = page.split('<script type="application/json" id="data">')

    assert "<img" not in page
    assert "onerror=&quot;" in markup
    assert page.count("<script") == 2
    assert json.loads(data.split("</script>")[0])["classes"][0] == HOSTILE


def test_size_is_bounded():
    """Of large pictures, and of a limit that not even all names fit in."""
    targets = np.arange(400) % 4
    images = image_set(targets, list("abcd"), picture=lambda row: noise(row, 96))
    inspection = inspection_of(images, probabilities=shares(targets, 4, range(0, 400, 5)))

    assert 0.6e6 < len(page_of(inspection, 1e6)) <= 1e6
    assert "The first 80 of" not in page_of(inspection, 1e6), "80 are flagged, and all are there"
    assert re.search(r"The first \d+ of 80 are here; labels.csv has all", page_of(inspection, 2e5))
    assert len(page_of(inspection, 2e5)) <= 2e5


@pytest.mark.parametrize("classes", [2, 300])
def test_few_and_many_classes(classes):
    """Two, and more than colours."""
    count = 4 * classes + 40
    targets = np.arange(count) % classes
    images = image_set(targets, [f"class {number}" for number in range(classes)])
    page = page_of(inspection_of(images, probabilities=shares(targets, classes, [1])))

    assert len(page) < 2e6
    assert "labelled" in page


def test_numbers_and_several_labels():
    """Numbers are not checked, and several labels are one by one."""
    numbers = inspection_of(
        image_set(np.linspace(0, 1, 60), ["age"], metric="r2"), np.random.default_rng(0).random((60, 4))
    )
    targets = np.where(np.random.default_rng(1).random((60, 2)) < 0.5, 1, -1).astype(np.int8)
    probabilities = np.where(targets > 0, 0.9, 0.1).astype(float)
    probabilities[3] = 1 - probabilities[3]
    features = targets + np.random.default_rng(0).normal(0, 0.2, (60, 2))
    several = inspection_of(image_set(targets, ["old", "wet"], metric="mAP_area"), features, probabilities)

    assert numbers.labels is None
    assert "<section" in page_of(numbers)
    assert set(several.labels.rows.tolist()) == {3}
    assert "not old" in page_of(several)
