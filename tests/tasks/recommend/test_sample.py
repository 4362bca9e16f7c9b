"""Samples that grow."""

import numpy as np
import pytest

from offshelf.dataset import Fold, ImageArray, ImageSet, Sample
from offshelf.errors import DatasetError
from offshelf.tasks.recommend import Rules
from offshelf.tasks.recommend.sample import growing_order, sample, sizes, training_images


def images(targets, train=None):
    """A set of small images; by default all are trained on."""
    samples = [
        Sample(str(row), ImageArray(np.full((4, 4, 3), row % 256, np.uint8)), target)
        for row, target in enumerate(targets)
    ]
    train = np.arange(len(targets)) if train is None else np.array(train)
    several = isinstance(targets[0], tuple)
    classes = tuple(str(name) for name in range(len(targets[0]) if several else max(targets) + 1))
    metric = "mAP_11pt" if several else "accuracy"
    return ImageSet("set", classes, samples, (Fold(train, np.setdiff1d(np.arange(len(targets)), train)),), metric)


def test_numbers():
    """Shuffled samples, doubled, in folds of about one size; too few are a mistake."""
    ages = np.random.default_rng(0).normal(40, 10, 70).tolist()
    pictures = images([0] * 70).samples
    samples = [Sample(one.id, one.image, age) for one, age in zip(pictures, ages, strict=True)]
    ages_of = ImageSet("faces", ("age",), samples, (Fold(np.arange(60), np.arange(60, 70)),), "r2")
    training = training_images(ages_of)
    order = growing_order(training.targets, 0)

    assert sizes(training.targets, order, 20) == [20, 40, 60]
    first = sample(training, order, 20, Rules(first=20))
    assert first.targets.tolist() == [ages[row] for row in sorted(order[:20])]
    assert [len(fold.test) for fold in first.folds] == [4] * 5
    few = ImageSet("faces", ("age",), samples[:5], (Fold(np.arange(5), np.arange(0)),), "r2")
    with pytest.raises(DatasetError, match="6 are needed"):
        training_images(few)


def test_every_beginning_is_stratified():
    """Each class has its share of any sample, but for an image."""
    targets = np.repeat([0, 1, 2], [700, 200, 100])
    order = growing_order(targets, seed=3)

    assert sorted(order) == list(range(1000))
    for size in (10, 57, 333, 900):
        counts = np.bincount(targets[order[:size]], minlength=3)
        assert np.abs(counts - size * np.array([0.7, 0.2, 0.1])).max() <= 1
    assert (order == growing_order(targets, seed=3)).all()
    assert (order != growing_order(targets, seed=4)).any()


def test_sizes_double():
    """From the first, or from eight images of the rarest class, to all."""
    balanced, skewed = np.repeat([0, 1], 500), np.repeat([0, 1], [984, 16])

    assert sizes(balanced, growing_order(balanced, 0), 200) == [200, 400, 800, 1000]
    assert sizes(balanced, growing_order(balanced, 0), 5000) == [1000]
    assert 900 > sizes(skewed, growing_order(skewed, 0), 50)[0] > 450  # half of the rare ones are in half of all


def test_each_image_is_held_out_once():
    """The sample's folds part it, and have no test image of the data set."""
    chosen = training_images(images([0, 1] * 30, train=range(40)))
    part = sample(chosen, growing_order(chosen.targets, 0), 20, Rules(folds=5))

    assert {int(one.id) for one in part.samples} <= set(range(40))
    assert sorted(np.concatenate([fold.test for fold in part.folds])) == list(range(20))
    assert all(not set(fold.train) & set(fold.test) for fold in part.folds)
    assert [np.bincount(part.targets[fold.test]).tolist() for fold in part.folds] == [[2, 2]] * 5


def test_too_few():
    """A class with two training images, one class alone, or few images with several labels."""
    with pytest.raises(DatasetError, match=r"too few training images of 1 class\(es\); each needs 3: 1 \(2\)"):
        training_images(images([0, 0, 0, 0, 1, 1, 1], train=range(6)))
    with pytest.raises(DatasetError, match="has one class alone"):
        training_images(images([0] * 10))
    with pytest.raises(DatasetError, match=r"has 4 training image\(s\); 6 are needed"):
        training_images(images([(1, -1)] * 4))
