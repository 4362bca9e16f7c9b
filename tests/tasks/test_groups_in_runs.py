"""Groups from the data set to the record of a run."""

import csv
import json

import numpy as np
import pytest

import offshelf
from offshelf.errors import ConfigError, DatasetError
from offshelf.report import read_predictions
from offshelf.tasks.recommend.rules import Rules
from offshelf.tasks.recommend.sample import growing_order, sample, training_images


@pytest.fixture(scope="module")
def patients():
    """Images of 12 patients, five each, that look alike; their classes, and the patients."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(12), 5)
    base = rng.integers(60, 180, (12, 1, 1, 3))
    pixels = (base[groups] + rng.integers(-20, 20, (60, 8, 8, 3)) + 30 * (groups % 2)[:, None, None, None]).clip(0, 255)
    return list(pixels.astype(np.uint8)), groups % 2, [f"p{group}" for group in groups]


@pytest.fixture(scope="module")
def result(patients, tmp_path_factory):
    """A run on them, with patients on one side."""
    images, labels, groups = patients
    folder = tmp_path_factory.mktemp("run")
    return offshelf.classify(
        (images, labels),
        group=groups,
        backbone="tiny",
        store=None,
        output_dir=folder,
        C=[0.1, 1],
        shots=[1, 2],
        draws=2,
    )


def test_a_run_keeps_groups_apart(result):
    """In the split; in the draws; in the table of predictions, from which compare takes them."""
    images = result.images
    text = (result.folder / "predictions.csv").read_text()
    lines = list(csv.DictReader(text.splitlines()))
    names = [images.groups.names[images.groups.numbers_N[row]] for fold in images.folds for row in fold.test]

    for fold in images.folds:
        of = images.groups.numbers_N
        assert not set(of[fold.train].tolist()) & set(of[fold.test].tolist())
        assert len(set(of[fold.train].tolist())) == len(fold.train) == 4
    assert [line["group"] for line in lines] == names
    read = read_predictions(text)
    assert all(len(set(one.groups.tolist())) == len(set(names)) for one in read.outcomes)
    known = json.loads((result.folder / "data.json").read_text())
    assert known["groups"] == [images.groups.count, "group"]


def test_recommend_samples_and_folds(patients):
    """Samples are of many groups at first, and folds divide none."""
    images, labels, groups = patients
    loaded = offshelf.api.labelled.Labelled(images, labels, group=groups).load()
    training = training_images(loaded)
    order = growing_order(training.targets, 0, training.groups.numbers_N)
    first = sample(training, order, 8, Rules(folds=2))

    assert first.groups.count == 8
    whole = sample(training, order, len(order), Rules(folds=3))
    for fold in whole.folds:
        of = whole.groups.numbers_N
        assert not set(of[fold.train].tolist()) & set(of[fold.test].tolist())


def test_wrong_numbers_of_groups(patients):
    """A group for each image, those of the test part too; a classifier of one's own has to know of them."""
    images, labels, groups = patients
    with pytest.raises(DatasetError, match="There are 60 images, those of test included, and 59 groups"):
        offshelf.classify((images, labels), group=groups[1:], backbone="tiny", store=None)

    class Blind:
        predicts_numbers = False

        def fit(self, values_NVD, targets, metric):
            raise AssertionError

    with pytest.raises(ConfigError, match=r"Blind\.fit has no argument groups"):
        offshelf.classify((images, labels), group=groups, backbone="tiny", store=None, classifier=Blind())
