"""The page of a run: its numbers beside metrics of their own, what bounds it, and what names can do to it."""

import base64
import hashlib
import json
import re
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pytest
from reported import contents_of
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.metrics import confusion_matrix, precision_recall_curve
from sklearn.neighbors import NearestNeighbors

from offshelf.dataset import ImageFile, LeftOut
from offshelf.dataset.groups import Groups
from offshelf.dataset.leaks import LeakFinder, LeakRules
from offshelf.errors import ConfigError
from offshelf.report.html import HtmlReport
from offshelf.report.html import contents as html_contents
from offshelf.report.html.chart import spanned, ticks
from offshelf.report.html.class_bars import bars_of, wilson
from offshelf.report.html.embedding import principal_components
from offshelf.report.html.items import items_of
from offshelf.report.html.neighbours import COUNT, neighbours_of
from offshelf.report.html.packing import NONE, front_coded, quantised
from offshelf.report.html.probabilities import histogram, precision_by_recall
from offshelf.report.html.tiles import MOST, SHEET, Tiles
from offshelf.tasks.results.classification import score_lines

HOSTILE = "</script><img src=x onerror=alert(1)>&\"'\u2028"


@pytest.fixture(scope="module")
def digits():
    """A run on 600 digits with a third of the test images taken for the next class."""
    pixels, targets = load_digits(return_X_y=True)
    pixels, targets = pixels[:600], targets[:600].astype(np.int64)
    taken = np.where(np.arange(300) % 3 == 0, (targets[300:] + 1) % 10, targets[300:])
    scores = np.random.default_rng(0).normal(size=(300, 10))
    scores[np.arange(300), taken] = 5 + np.arange(300) / 300
    return contents_of(targets, scores, pixels, [str(number) for number in range(10)])


def data_of(page):
    """The data that the script of a page reads."""
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)[1])


class Links(HTMLParser):
    """Collects what the elements of a page refer to."""

    @staticmethod
    def of(page):
        found = Links()
        found.links = []
        found.feed(page)
        return found.links

    def handle_starttag(self, tag, attrs):
        self.links += [value for name, value in attrs if name in ("src", "href", "srcset", "action", "data", "poster")]


def unpacked(text, dtype):
    return np.frombuffer(base64.b64decode(text), dtype)


def test_numbers_are_those_of_the_metrics(digits):
    page = HtmlReport().page(digits)

    metrics = digits.metrics
    assert f'<p class="value">{metrics["test/accuracy"]:.4f}</p>' in page
    assert f"interval {metrics['test/accuracy_low']:.4f} to {metrics['test/accuracy_high']:.4f}" in page
    assert f"<b>{metrics['cv/accuracy']:.4f}</b>" in page
    assert metrics["test/accuracy"] == pytest.approx(2 / 3)


def test_confusion_is_scikit_learns(digits):
    page = HtmlReport().page(digits)

    outcome = digits.chosen.outcomes[0]
    expected = confusion_matrix(outcome.targets, outcome.scores.argmax(axis=1))
    cells = re.findall(r'tabindex="-1" data-true="(\d+)" data-taken="(\d+)".*?>(\d+)</button>', page)
    found = np.zeros((10, 10), int)
    for row, column, count in cells:
        found[int(row), int(column)] = int(count)
    np.testing.assert_array_equal(found, expected)
    sparse = data_of(page)["confusion"]
    rows, columns = (unpacked(sparse[name], "<u2") for name in ("rows", "columns"))
    np.testing.assert_array_equal(unpacked(sparse["counts"], "<u4"), expected[rows, columns])


def test_mistakes_come_first_and_the_worst_first(digits):
    items = items_of(digits)

    assert items.is_wrong[:100].all()
    assert not items.is_wrong[100:].any()
    margins = items.taken_scores[:100] - items.true_scores[:100]
    assert (np.diff(margins) <= 0).all()


def test_neighbours_are_scikit_learns(digits):
    items = items_of(digits)
    found = neighbours_of(digits, items)

    values, train = digits.found.values["last"][:, 0].astype(np.float64), digits.images.folds[0].train
    for number in (0, 17, 99):
        query = values[digits.tested.rows[items.places[number]]][None]
        assert [group for group, _ in found[number]] == [items.true[number], items.taken[number]]
        for group, rows in found[number]:
            own = train[digits.images.targets[train] == group]
            distances, _ = NearestNeighbors(n_neighbors=COUNT).fit(values[own]).kneighbors(query)
            np.testing.assert_allclose(np.linalg.norm(values[rows] - query, axis=1), distances[0])
    assert all(not one for one in found[100:]), "right images have no neighbours"


@pytest.mark.parametrize("shape", [(80, 70), (300, 64), (5, 200)])
def test_components_are_scikit_learns(shape):
    values = np.random.default_rng(0).normal(size=shape) * np.linspace(3, 0.1, shape[1])

    places, shares = principal_components(values)

    expected = PCA(2, svd_solver="full").fit(values)
    np.testing.assert_allclose(np.abs(places), np.abs(expected.transform(values)), atol=1e-7)
    np.testing.assert_allclose(shares, expected.explained_variance_ratio_, rtol=1e-9)


def test_components_of_equal_images():
    """All in one place, and one dimension: no error and no noise."""
    assert not principal_components(np.ones((9, 80)))[0].any()
    assert principal_components(np.arange(9.0)[:, None])[0].shape == (9, 2)


def test_intervals_are_wilsons():
    """Newcombe, Statistics in Medicine 17 (1998), table I: 81 of 263, and 0 of 20."""
    found = wilson(np.array([81 / 263, 0.0, np.nan]), np.array([263, 20, 0]), 0.95)

    assert [round(found[0].low, 4), round(found[0].high, 4)] == [0.2553, 0.3662]
    assert [round(found[1].low, 4), round(found[1].high, 4)] == [0.0, 0.1611]
    assert found[2] is None
    assert NormalDist().inv_cdf(0.975) == pytest.approx(1.96, abs=1e-2)


def test_classes_are_sorted_from_the_worst(digits):
    name, bars = bars_of(digits)

    assert name == "accuracy"
    values = [bar.value for bar in bars]
    assert values == sorted(values)
    assert {bar.name: bar.images for bar in bars}["3"] == (digits.chosen.outcomes[0].targets == 3).sum()


def test_precision_is_scikit_learns():
    random = np.random.default_rng(0)
    targets, scores = random.choice([-1, 1], 200), random.normal(size=200).round(1)

    found = np.array(precision_by_recall(np.append(targets, 0), np.append(scores, 9.0)))

    precision, recall, _ = precision_recall_curve(targets > 0, scores)
    np.testing.assert_allclose(found[::-1], np.column_stack([recall[:-1], precision[:-1]]))


def test_hostile_names(digits):
    """They are text everywhere, and the policy lets no other script run."""
    names = [f"{HOSTILE}{row}.png" for row in range(40)]
    targets = np.arange(40) % 2
    scores = np.eye(2)[1 - targets[20:]]
    page = HtmlReport().page(contents_of(targets, scores, np.eye(40), [HOSTILE, "b"], names=names))

    assert page.count("</script>") == 2
    assert "<img" not in page
    assert data_of(page)["classes"][0] == HOSTILE
    assert HOSTILE in unescape(page)
    script, style = (re.findall(f"<{tag}>(.*?)</{tag}>", page, re.DOTALL) for tag in ("script", "style"))
    policy = unescape(re.search(r'Content-Security-Policy" content="(.*?)"', page)[1])
    for kind, text in (("script", script[-1]), ("style", style[0])):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert {value[0] for value in Links.of(page)} == {"#"}, "it loads nothing"


def test_several_labels():
    random = np.random.default_rng(0)
    targets = random.choice([-1, 0, 1], (60, 4)).astype(np.int8)
    contents = contents_of(targets, random.normal(size=(30, 4)), random.normal(size=(60, 5)), list("abcd"))
    items = items_of(contents)
    page = HtmlReport().page(contents)

    wrong = (contents.tested.targets * np.sign(contents.tested.scores)) == -1
    assert len(items.places) == wrong.sum()
    assert ((items.true == NONE) != (items.taken == NONE)).all()
    assert "Precision and recall" in page
    assert 'id="matrix"' not in page


def test_numbers():
    random = np.random.default_rng(0)
    targets = random.uniform(1, 9, 40)
    contents = contents_of(
        targets, targets[20:, None] + random.normal(size=(20, 1)), random.normal(size=(40, 3)), ["age"]
    )
    page = HtmlReport().page(contents)

    errors = np.abs(contents.tested.scores[:, 0] - contents.tested.targets)
    assert items_of(contents).places[0] == errors.argmax()
    assert "Predicted and true numbers" in page
    assert "only-wrong" not in page.split("<script")[0], "numbers are not right or wrong"
    assert "blue, the least number" in page
    assert 'id="classes"' not in page


def noise(row):
    return np.random.default_rng(row).integers(0, 256, (96, 96, 3)).astype(np.uint8)


def test_size_is_bounded():
    """Pictures that no format makes small: as many as fit, the mistakes' among them."""
    targets = np.arange(200) % 2
    scores = np.eye(2)[np.where(np.arange(100) < 10, 1 - targets[100:], targets[100:])]
    contents = contents_of(targets, scores, np.random.default_rng(0).normal(size=(200, 4)), "ab", picture=noise)

    page = HtmlReport(max_mb=0.6).page(contents)

    assert 0.4e6 < len(page.encode()) <= 0.6e6
    data = data_of(page)
    tiles = unpacked(data["pictures"]["tiles"], "<u2")
    assert (tiles[:5] != NONE).all(), "the worst mistakes"
    assert (tiles == NONE).any()


@pytest.mark.parametrize(("classes", "length"), [(300, 9), (150, 250)])
def test_size_is_bounded_with_many_classes(classes, length):
    """The list of classes gets shorter, and says so."""
    targets = np.tile(np.arange(classes), 2)
    scores = np.random.default_rng(0).normal(size=(classes, classes))
    names = [f"{'class ' * 50}"[: length - 3] + f"{number:03}" for number in range(classes)]
    page = HtmlReport(max_mb=0.2).page(
        contents_of(targets, scores, np.random.default_rng(0).normal(size=(2 * classes, 4)), names, replicates=0)
    )

    assert len(page.encode()) <= 0.2e6
    assert 5 < page.count("<li data-class") < classes
    assert f"of {classes}; per_class.csv has all." in page


def test_overrides_of_the_writing_direction_are_visible(digits):
    """And control characters: a name cannot turn the sentence around it, or look like another."""
    names = ["\u202egpj\x1b.exe", "b"]
    targets = np.arange(40) % 2
    page = HtmlReport().page(contents_of(targets, np.eye(2)[1 - targets[20:]], np.eye(40), names))
    shown = page.partition('id="data"')[0]

    assert not set(shown) & set("\u202e\x1b")
    assert r"<bdi>\u202egpj\x1b.exe</bdi>" in shown
    assert data_of(page)["classes"] == names


def test_tiles_of_images_that_are_gone(digits):
    """They have no picture; the pictures of the others stay in their places."""
    images = [sample.image for sample in digits.images.samples[:70]]
    images[3] = ImageFile(Path("/nowhere/at-all.png"))
    tiles = Tiles.of(images, 1e6)

    assert len(tiles.numbers) == 69
    assert 3 not in tiles.numbers
    assert tiles.places[tiles.numbers.index(64)] == SHEET
    assert tiles.is_exact
    assert tiles.side == 8
    assert len(images) < MOST


def test_packed_names_and_numbers():
    names = ["b/ü/2.png", "a", "b/ü/10.png", "", "b/ü/10.png", "😀x", "😀y"]
    coded = front_coded(names)
    shared, order, before, found = unpacked(coded["shared"], "<u2"), unpacked(coded["order"], "<u4"), "", {}
    for length, rest, place in zip(shared, coded["rests"], order, strict=True):
        before = before[:length] + rest
        found[int(place)] = before
    assert [found[place] for place in range(len(names))] == names

    values = np.array([-3.0, np.nan, 8.5, 0.25])
    coded = quantised(values)
    codes = unpacked(coded["codes"], "<u2")
    assert codes[1] == NONE
    np.testing.assert_allclose((coded["low"] + codes * coded["step"])[[0, 2, 3]], values[[0, 2, 3]], atol=coded["step"])


@pytest.mark.parametrize(("settings", "words"), [({"max_mb": 0}, "max_mb"), ({"points": 50_001}, "points")])
def test_settings_out_of_range(settings, words):
    with pytest.raises(ConfigError, match=words):
        HtmlReport(**settings)


def test_a_thousand_classes():
    """The matrix is drawn by the script, of the cells that are not 0 alone."""
    targets = np.tile(np.arange(1000), 2)
    scores = np.zeros((1000, 1000))
    scores[np.arange(1000), (targets[1000:] + (np.arange(1000) < 250)) % 1000] = 1
    page = HtmlReport(max_mb=2).page(
        contents_of(
            targets,
            scores,
            np.random.default_rng(0).normal(size=(2000, 4)),
            [f"class {n}" for n in range(1000)],
            replicates=0,
        )
    )

    assert '<canvas id="matrix"' in page
    assert len(unpacked(data_of(page)["confusion"]["counts"], "<u4")) == 1000
    assert len(page) < 2e6


@pytest.mark.parametrize("margins", [[1.0, 1.0], [-1.0, -1.0], [0.0], [0.3, -2.0], [1e-12], [5.0, 4.0]])
def test_every_margin_is_in_the_histogram(margins):
    """Also where all are equal, or on one side of 0; the bins of the bars have as many images."""
    targets = np.zeros(len(margins), int)
    scores = np.array([[margin, 0.0] for margin in margins])
    tested = html_contents.Tested(np.arange(len(margins)), targets, targets, scores, scores)
    counts = [int(count) for count in re.findall(r": (\d+) images", histogram(tested))]

    assert sum(counts) == len(margins)


def test_what_the_terminal_says_to_beware_of_is_on_the_page(digits):
    """Groups on both sides, and an image that cannot be read."""
    images = replace(digits.images, groups=Groups.of([str(row % 299) for row in range(600)], "patient"))
    images = replace(images, leaks=LeakFinder(images, LeakRules()))
    contents = replace(digits, images=images, left_out=[LeftOut("broken.png", "test", "it is cut off")])
    printed = score_lines(contents.scores, [], contents.chosen, "", images, contents.left_out)

    page = unescape(HtmlReport().page(contents))

    said = [line for text in printed if isinstance(text, str) for line in text.splitlines() if line]
    assert any("group" in line for line in said)
    assert any("left_out.csv" in line for line in said)
    for line in said:
        assert line.removeprefix("Warning: ") in page


def test_axes():
    """Error bars do not take an axis beyond what a metric can be, and ticks are round."""
    assert spanned([0.99, 1.0], [0.97, 1.02]) == pytest.approx((0.9676, 1.0))
    assert spanned([-3.0, 0.5], [-4.0, 0.6])[0] < -4, "R² has no least value"
    assert ticks(0, 3, is_count=True) == [0, 1, 2, 3]
    assert ticks(0.97, 1.0) == pytest.approx([0.97, 0.98, 0.99, 1.0])
