"""The page of two runs: counts by hand, paired differences, pictures from the pages of the runs, hostile names."""

import json
import re

import numpy as np
import pytest
from reported import contents_of
from sklearn.datasets import load_digits

from offshelf.metric import Bootstrap, Outcome
from offshelf.report.html import HtmlReport
from offshelf.report.html.changes import BOTH, GAINED, LOST, NEITHER, Changes
from offshelf.report.html.comparison import ClassChange, Comparison, Side, comparison_page
from offshelf.report.html.kept import KeptPictures
from offshelf.report.html.packing import NONE, front_coded, front_decoded, packed, unpacked

HOSTILE = "</script><img src=x onerror=alert(1)>&\"'\u2028"


def outcome(targets, taken, classes=3):
    return Outcome(np.array(targets), np.eye(classes)[taken])


def test_groups_by_hand():
    """Of single labels: an image that is tested in two folds counts once, by its first test."""
    first = [outcome([0, 0, 1], [0, 1, 1]), outcome([0, 2], [1, 0])]
    second = [outcome([0, 0, 1], [1, 0, 1]), outcome([0, 2], [0, 1])]
    changes = Changes.of(first, second, [["a", "b", "c"], ["a", "d"]], ["x", "y", "z"])

    assert changes.counts == (1, 1, 1, 1)
    assert [changes.ids[point] for point in changes.points] == ["b", "a", "d"]
    assert changes.groups.tolist() == [GAINED, LOST, NEITHER]
    assert changes.taken.tolist() == [[1, 0], [0, 1], [0, 1]]
    assert changes.labels.tolist() == [0, 0, 2]


def test_several_labels_by_hand():
    """Pairs of an image and a label that counts, those whose scores moved most first."""
    targets = np.array([[1, -1], [0, 1]], np.int8)
    first, second = (Outcome(targets, np.array(scores)) for scores in ([[-1.0, 2], [5, -1]], [[1.0, -3], [5, -2]]))
    changes = Changes.of([first], [second], [["a", "b"]], ["cat", "dog"])

    assert changes.counts == (2, 0, 1, 0)
    assert changes.labels.tolist() == [1, 0, 1]
    assert changes.true.tolist() == [0, 1, 1]


def test_numbers_by_hand():
    """Closer and farther, the largest change first."""
    targets = np.array([10.0, 20, 30])
    first, second = (Outcome(targets, np.array(one)[:, None]) for one in ([11.0, 25, 30], [10.5, 20, 33]))
    changes = Changes.of([first], [second], [["a", "b", "c"]], ["number"])

    assert changes.counts == (2, 1, 0, 0)
    assert [changes.ids[point] for point in changes.points] == ["b", "a", "c"]


def test_differences_of_classes_are_paired():
    """Each is that of the images of its class alone, on the same draws: no difference has no width."""
    random = np.random.default_rng(0)
    targets = random.integers(0, 2, 400)
    taken = np.where(random.random(400) < 0.7, targets, 1 - targets)
    better = np.where((targets == 1) & (random.random(400) < 0.5), targets, taken)
    pair = [outcome(targets, taken, 3)], [outcome(targets, better, 3)]
    same, gained, absent = Bootstrap(500).class_differences("mean_class_accuracy", *pair)
    share = (better == targets)[targets == 1].mean() - (taken == targets)[targets == 1].mean()
    moved = (better != taken)[targets == 1]

    assert (same.value, same.interval.low, same.interval.high) == (0, 0, 0)
    assert gained.value == pytest.approx(share)
    assert gained.interval.half == pytest.approx(1.96 * moved.std() / np.sqrt(len(moved)), rel=0.15)
    assert absent is None


@pytest.mark.parametrize("names", [["a/1.png", "a/12.png", "b"], [""], ["é", "éa", "\U0001f600x"]])
def test_names_come_back(names):
    assert front_decoded(json.loads(json.dumps(front_coded(names)))) == names
    assert unpacked(packed(np.array([1, 65535]), "uint16"), "uint16").tolist() == [1, NONE]


@pytest.fixture(scope="module")
def kept():
    """The page of a run on digits of which each third test image is wrong, and its pixels."""
    pixels, targets = load_digits(return_X_y=True)
    pixels, targets = pixels[:120], targets[:120].astype(np.int64)
    taken = np.where(np.arange(60) % 3 == 0, (targets[60:] + 1) % 10, targets[60:])
    picture = lambda row: np.repeat((pixels[row].reshape(8, 8, 1) * 15).astype(np.uint8), 3, axis=2)  # noqa: E731
    contents = contents_of(targets, np.eye(10)[taken], pixels, list("0123456789"), picture=picture)
    return HtmlReport().page(contents), picture


def test_pictures_of_a_page(kept):
    """Small ones are kept without loss."""
    page, picture = kept
    found = KeptPictures.of(page)

    for row in (60, 63, 90):
        assert np.array_equal(found.picture(f"folder/image-{row:05d}.png"), picture(row))
    assert found.picture("another") is None


@pytest.mark.parametrize(
    "damage", ["no page", '<script type="application/json" id="data">{"pictures": 3}</script>', "cut"]
)
def test_damaged_pages_have_no_pictures(kept, damage):
    page, _ = kept
    text = re.sub(r"base64,[^\"]{40}", "base64,AAAA", page) if damage == "cut" else damage
    found = KeptPictures.of(text)
    assert found is None or found.picture("folder/image-00060.png") is None


def compared(kept, **more):
    names = [f"folder/image-{row:05d}.png" for row in range(60, 120)]
    targets = load_digits().target[60:120]
    first = outcome(targets, np.where(np.arange(60) % 3 == 0, (targets + 1) % 10, targets), 10)
    second = outcome(targets, np.where(np.arange(60) % 4 == 0, (targets + 2) % 10, targets), 10)
    bootstrap = Bootstrap(200)
    differences = {"accuracy": bootstrap.difference("accuracy", [first], [second])}
    gaps = bootstrap.class_differences("mean_class_accuracy", [first], [second])
    names_of_classes = more.pop("classes", list("0123456789"))
    changes = Changes.of([first], [second], [more.pop("ids", names)], names_of_classes)
    sides = [
        Side(more.pop("name", name), name * 8, {"test/accuracy": value}) for name, value in (("a", 0.6), ("b", 0.7))
    ]
    classes = [
        ClassChange(k, name, 6, (0.5, 0.6), gap)
        for k, (name, gap) in enumerate(zip(names_of_classes, gaps, strict=True))
    ]
    fields = {"changes": changes, "class_metric": "accuracy", "class_changes": classes, "level": 0.95}
    pictures = [KeptPictures.of(kept[0])]
    return Comparison(*sides, "accuracy", differences, **{**fields, "pictures": pictures, **more})


def test_page(kept):
    """Counts by their definition; a picture for each image that one of the runs is wrong about."""
    page = comparison_page(compared(kept))
    data = json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1])
    wrong = [np.arange(60) % 3 == 0, np.arange(60) % 4 == 0]

    assert data["counts"] == [sum(wrong[0] & ~wrong[1]), sum(~wrong[0] & wrong[1]), sum(wrong[0] & wrong[1]), 30]
    assert data["counts"][BOTH] == 30
    shown = KeptPictures.of(page)
    for row in np.flatnonzero(wrong[0]):
        assert np.array_equal(shown.picture(f"folder/image-{row + 60:05d}.png"), kept[1](row + 60))


def test_bounded(kept):
    """Pictures take what the rest leaves."""
    bare = comparison_page(compared(kept), 0)
    limit = len(bare.encode()) + 2000
    page = comparison_page(compared(kept), limit)

    assert len(page.encode()) <= limit
    assert KeptPictures.of(bare).places == {}
    assert 0 < len(KeptPictures.of(page).places) < 30


def test_hostile_names(kept):
    ids = [f"{HOSTILE}{row}" for row in range(60)]
    page = comparison_page(
        compared(
            kept,
            ids=ids,
            classes=[f"{HOSTILE}{number}" for number in range(10)],
            name=HOSTILE,
            parameters=[(HOSTILE, HOSTILE, HOSTILE)],
            remarks=[HOSTILE],
        )
    )
    assert "<img" not in page
    assert page.count("<script") == 2


@pytest.mark.parametrize(
    ("then", "now", "pressed"), [((0, 1), (0, 0), GAINED), ((0, 0), (1, 0), LOST), ((1, 0), (1, 0), NEITHER)]
)
def test_first_tab_has_pictures(then, now, pressed):
    """The page opens on what there is."""
    targets = [0, 0]
    changes = Changes.of([outcome(targets, list(then))], [outcome(targets, list(now))], [["a", "b"]], ["x", "y", "z"])
    sides = [Side(name, "", {"test/accuracy": 0.5}) for name in "ab"]
    page = comparison_page(Comparison(*sides, "accuracy", {}, 0.95, changes=changes))

    assert re.findall(r'data-group="(\d)" aria-pressed="true"', page) == [str(pressed)]
    assert "The accuracy of A and B is equal to four digits." in page


PAIR = (("a", 0.6), ("b", 0.5))


def test_not_paired():
    """The numbers beside each other, and why there is no more."""
    sides = [
        Side(name, "", {"test/r2": value, "test/r2_low": 0.1, "test/r2_high": 0.9})
        for name, value in (("a", 0.6), ("b", 0.5))
    ]
    page = comparison_page(Comparison(*sides, "r2", {}, 0.95, remarks=["They differ."]))
    assert "0.1000 below A's" in page
    assert "They differ." in page
    assert 'id="pictures"' not in page
