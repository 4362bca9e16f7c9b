"""Labels that are numbers: where they are asked for, and only there."""

import numpy as np
import pytest
from trees import table

from offshelf.dataset import Csv, Fold, ImageArray, ImageSet, Sample, as_retrieval, require_labels
from offshelf.dataset.partition import partition
from offshelf.errors import ConfigError, DatasetError
from offshelf.report import found_line


def ages(folder, cells=lambda number: 20 + number / 4, header="path,label", **settings):
    """A table of twelve images with numbers."""
    lines = [f"{number}.png,{cells(number)}" for number in range(12)]
    (folder / "ages.csv").write_text("\n".join([header, *lines]))
    return Csv(str(folder / "ages.csv"), **{"target": "number", **settings})


def test_a_column_of_numbers(rows):
    """Numbers where that is said; else classes, as before."""
    images = require_labels(ages(rows, header="path,age", columns={"label": "age"}).load())

    assert images.kind == "number" and images.metric == "r2" and images.classes == ("age",)
    assert images.targets.tolist() == [20 + number / 4 for number in range(12)]
    assert [(len(fold.train), len(fold.test)) for fold in images.folds] == [(9, 3)]
    assert found_line(images) == "ages: 12 images with numbers from 20 to 22.75, 9 to train on, 3 to test on."
    as_classes = ages(rows, target="class", cells=lambda number: number % 2).load()
    assert as_classes.kind == "class" and as_classes.classes == ("0", "1")


def test_splits(rows):
    """The table's own; folds and splits stratified by the numbers; fractions of the training images."""
    header, cells = "path,kind,split,label", lambda n: ["train" if n < 8 else "test", str(n)]
    own = table(rows, header, cells, target="number").load()
    assert (len(own.folds[0].train), len(own.folds[0].test)) == (8, 4)
    several = ages(rows, folds=4).load()
    assert sorted(np.concatenate([fold.test for fold in several.folds])) == list(range(12))
    parts = ages(rows, fractions=[0.1, 0.5, 1], draws=2).load()
    assert [[len(fold.train) for fold in size.folds] for size in parts.sizes] == [[2, 2], [5, 5], [9]]
    skewed = np.where(np.arange(100) < 20, np.arange(100.0), 0.0)  # a fifth of them is more than 0
    for folds in (partition(skewed, ("count",), 0.25, None, 0), partition(skewed, ("count",), 0.25, 5, 3)):
        assert all((skewed[fold.test] > 0).mean() == pytest.approx(0.2, abs=0.06) for fold in folds)
    least = partition(np.arange(5.0), ("age",), 0.01, None, 0)
    assert len(least[0].test) == 2


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (lambda n: "old" if n == 3 else n, r"line 5: with dataset.target=number a label is a number; got 'old'"),
        (lambda n: f'"{n},5"', r"lines 2, 3.*got '0,5'; decimals are written 3.5"),
        (lambda n: "nan" if n == 3 else n, "line 5.*got 'nan'"),
        (lambda n: "1_0" if n == 3 else n, "line 5.*got '1_0'"),
        (lambda n: "" if n == 3 else n, "line 5.*got ''"),
        (lambda n: 7, "two or more different numbers; all are 7"),
    ],
)
def test_what_is_no_number(rows, cells, message):
    """Named by its line."""
    with pytest.raises(DatasetError, match=message):
        ages(rows, cells).load()


def test_what_goes_not_together(rows):
    """Several labels in a cell, shots, retrieval, two numbers of one image."""
    with pytest.raises(ConfigError, match=r"dataset\.target=number takes one number per image"):
        ages(rows, separator=";")
    with pytest.raises(ConfigError, match=r"must be class or number; got 'numbers'; did you mean 'number'"):
        ages(rows, target="numbers")
    with pytest.raises(DatasetError, match=r"dataset\.shots counts images per class.*dataset\.fractions="):
        ages(rows, shots=2).load()
    with pytest.raises(DatasetError, match="retrieval takes classes"):
        as_retrieval(ages(rows).load())
    with pytest.raises(DatasetError, match="too few to be split"):
        partition(np.arange(3.0), ("age",), 0.25, None, 0)


def test_sets_of_the_users_own():
    """A float is a number; it is finite, and has a name."""
    samples = [Sample(str(row), ImageArray(np.full((4, 4, 3), row, np.uint8)), row / 2) for row in range(6)]
    good = ImageSet("own", ("score",), samples, (Fold(np.arange(4), np.arange(4, 6)),), "r2")
    assert require_labels(good).kind == "number"
    rest, left_out = good.without({5: "broken"})
    assert rest.targets.tolist() == [0, 0.5, 1, 1.5, 2] and [one.id for one in left_out] == ["5"]
    for kind in (np.float32, lambda number: number if number % 1 else int(number)):
        mixed = [Sample(sample.id, sample.image, kind(sample.target)) for sample in samples]
        assert ImageSet("own", ("score",), mixed, good.folds, "r2").targets.tolist() == good.targets.tolist()
    for changes, message in (
        ({"classes": ("a", "b")}, "one name, what the numbers are"),
        ({"metric": "accuracy"}, "the metric 'accuracy' does not exist; choose one of r2, spearman"),
        ({"metric": "mean_absolute_error"}, "less is better, and the metric of a set is to be large; choose one of r2"),
        ({"samples": [*samples[:5], Sample("5", samples[5].image, float("nan"))]}, "must be finite"),
    ):
        fields = {"classes": good.classes, "samples": samples, "folds": good.folds, "metric": "r2", **changes}
        with pytest.raises(DatasetError, match=message):
            require_labels(ImageSet("own", **fields))
