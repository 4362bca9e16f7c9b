"""Draws of training images: balanced, nested, of the training part alone, and the same for any order of the images."""

import numpy as np
import pytest

from offshelf.dataset import (
    Digits,
    Fold,
    Folder,
    ImageArray,
    ImageSet,
    Sample,
    TrainingSizes,
    as_retrieval,
    load_searched,
)
from offshelf.errors import ConfigError, DatasetError

PIXEL = ImageArray(np.zeros((2, 2, 3), np.uint8))


def images(targets, folds=1, order=None):
    """Images named by their numbers, a third of which are tested; with two folds, another third in the second."""
    order = np.arange(len(targets)) if order is None else np.asarray(order)
    samples = [Sample(f"{row}.png", PIXEL, targets[row]) for row in order]
    parts = [order % 3 == fold for fold in range(folds)]
    made = tuple(Fold(np.flatnonzero(~part), np.flatnonzero(part)) for part in parts)
    several = isinstance(targets[0], tuple)
    classes = tuple("abcdefgh"[: len(targets[0]) if several else max(targets) + 1])
    return ImageSet("set", classes, samples, made, "mAP_sklearn" if several else "accuracy")


def ids(drawn, rows):
    """Names of rows."""
    return [drawn.samples[row].id for row in rows]


def labels(count=3, each=30):
    """Classes at random, the last of which is rare."""
    found = [row % count for row in range(count * each) if row % count < count - 1 or row < 12 * count]
    return np.random.default_rng(0).permutation(found).tolist()


def test_shots_are_balanced_and_nested():
    """k of each class, within the larger subsets of the draw; all images are tested; others are left out."""
    whole = images(labels())
    drawn = TrainingSizes(shots=[4, 1, 2], draws=3).drawn(whole)

    assert [size.name for size in drawn.sizes] == ["1 shot", "2 shots", "4 shots"]
    assert drawn.folds is drawn.sizes[-1].folds
    for size in drawn.sizes:
        assert len(size.folds) == size.draws == 3
        for fold in size.folds:
            assert drawn.counts(fold.train).tolist() == [size.value] * 3
            assert ids(drawn, fold.test) == ids(whole, whole.folds[0].test)
    for small, large in zip(drawn.sizes, drawn.sizes[1:], strict=False):
        assert all(set(a.train) < set(b.train) for a, b in zip(small.folds, large.folds, strict=True))
    subsets = [frozenset(fold.train.tolist()) for fold in drawn.folds]
    assert len(set(subsets)) == 3
    assert len(drawn.samples) == len(frozenset.union(*subsets)) + len(drawn.folds[0].test)
    assert drawn.tests == (0, 0, 0)


def test_a_draw_depends_on_seed_and_ids_alone():
    """Not on the order of the images, nor on other draws or larger subsets."""
    targets, settings = labels(), TrainingSizes(shots=[1, 4], draws=2)
    order = np.random.default_rng(3).permutation(len(targets))
    first, again = settings.drawn(images(targets)), settings.drawn(images(targets, order=order))
    for one, other in zip(first.sizes, again.sizes, strict=True):
        for mine, theirs in zip(one.folds, other.folds, strict=True):
            assert ids(first, mine.train) == ids(again, theirs.train)

    alone = TrainingSizes(shots=1, draws=1).drawn(images(targets))
    assert ids(alone, alone.folds[0].train) == ids(first, first.sizes[0].folds[0].train)
    reseeded = TrainingSizes(shots=1, draws=1, seed=1).drawn(images(targets))
    assert set(ids(reseeded, reseeded.folds[0].train)) != set(ids(alone, alone.folds[0].train))


def test_draws_are_uniform():
    """Each of the twenty training images of a class is one of four shots in a fifth of 400 draws."""
    drawn = TrainingSizes(shots=4, draws=400).drawn(images([row % 2 for row in range(60)]))
    count = np.zeros(len(drawn.samples))
    for fold in drawn.folds:
        count[fold.train] += 1

    assert np.all(np.abs(count[drawn.folds[0].test] == 0))
    shares = count[count > 0] / 400
    assert len(shares) == 40
    assert np.abs(shares - 0.2).max() < 4 * np.sqrt(0.2 * 0.8 / 400)


def test_fractions_are_stratified():
    """The share of each class, rounded, but one image at least; everything is drawn once."""
    whole = images(labels())
    pool = whole.counts(whole.folds[0].train)
    drawn = TrainingSizes(fractions=[0.01, 0.25, 1.0], draws=2).drawn(whole)

    assert [(size.name, size.draws) for size in drawn.sizes] == [("1 %", 2), ("25 %", 2), ("100 %", 1)]
    for size in drawn.sizes:
        expected = [max(1, int(size.value * count + 0.5)) for count in pool]
        assert all(drawn.counts(fold.train).tolist() == expected for fold in size.folds)
    assert set(drawn.folds[0].train) > set(drawn.sizes[1].folds[1].train) > set(drawn.sizes[0].folds[1].train)


def test_several_labels():
    """Each label has at least k images; none is taken that no label needs; draws are nested."""
    random = np.random.default_rng(0)
    signs = [tuple(int(one) for one in np.where(random.random(4) < [0.1, 0.2, 0.6, 0.8], 1, -1)) for _ in range(120)]
    drawn = TrainingSizes(shots=[1, 2, 5], draws=2).drawn(images(signs))
    for size in drawn.sizes:
        for fold in size.folds:
            assert drawn.counts(fold.train).min() >= size.value
            assert len(fold.train) <= 4 * size.value
            has = drawn.targets[fold.train] > 0
            without = [(has.sum(axis=0) - row).min() for row in has]  # the last image that was taken is needed
            assert min(without) < size.value
    assert set(drawn.sizes[0].folds[0].train) < set(drawn.sizes[2].folds[0].train)

    shares = TrainingSizes(fractions=[0.01, 0.5], draws=1).drawn(images(signs))
    assert shares.counts(shares.sizes[0].folds[0].train).min() >= 1
    assert shares.sizes[1].images == 40


def test_small_classes():
    """Named, with the way out; or taken whole."""
    whole = images(labels())
    rare = whole.counts(whole.folds[0].train)[2]
    with pytest.raises(DatasetError, match=rf"fewer than 16 training images of 1 class\(es\): c \({rare}\)\. .*=whole"):
        TrainingSizes(shots=16).drawn(whole)
    drawn = TrainingSizes(shots=16, small_classes="whole").drawn(whole)
    assert drawn.counts(drawn.folds[0].train).tolist() == [16, 16, rare]


def test_folds_of_cross_validation():
    """Each draw has them all, and draws from their training images."""
    drawn = TrainingSizes(shots=2, draws=3).drawn(images(labels(), folds=2))

    assert [len(drawn.folds), drawn.draws, drawn.tests] == [6, 3, (0, 1) * 3]
    for fold in drawn.folds:
        assert not set(fold.train) & set(fold.test)


def test_every_size_is_part_of_the_identity():
    """Of several sizes; one alone is what its folds are. An image that is left out is left out of all."""
    digests = {TrainingSizes(shots=shots, draws=2).drawn(images(labels())).digest for shots in (4, [1, 4], [2, 4])}
    assert len(digests) == 3

    drawn = TrainingSizes(shots=[1, 4], draws=2).drawn(images(labels()))
    row = int(drawn.sizes[0].folds[0].train[0])
    with pytest.raises(DatasetError, match="none is left for the class"):
        drawn.without({row: "broken"})
    tested = int(drawn.folds[0].test[0])
    rest, (left,) = drawn.without({tested: "broken"})
    assert left.role == "test"
    for before, after in zip(drawn.sizes, rest.sizes, strict=True):
        assert [ids(drawn, fold.train) for fold in before.folds] == [ids(rest, fold.train) for fold in after.folds]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"shots": 4, "fractions": 0.5}, "cannot be combined"),
        ({"shots": 0}, r"dataset\.shots must be whole numbers of images, 1 or more; got 0"),
        ({"shots": [1, 2.5]}, r"got 2\.5"),
        ({"shots": []}, "got an empty list"),
        ({"fractions": [0.5, 1.5]}, r"dataset\.fractions must be above 0 and at most 1; got 1\.5"),
        ({"shots": 1, "draws": 0}, r"dataset\.draws must be a whole number, at least 1, or a folder; got 0"),
        ({"shots": 1, "draws": 2.5}, r"a whole number, at least 1, or a folder; got 2\.5"),
        ({"shots": 1, "draws": True}, "a whole number, at least 1, or a folder; got True"),
        ({"fractions": 0.1, "draws": "folder"}, r"folder is a folder of shots"),
        ({"shots": 1, "small_classes": "all"}, r"small_classes must be stop or whole; got 'all'"),
    ],
)
def test_mistakes(settings, message):
    """In one sentence, before anything is read."""
    with pytest.raises(ConfigError, match=message):
        Digits(**settings)


def test_sizes_of_numpy():
    """Are those of Python."""
    drawn = Digits(shots=list(np.array([1, 4])), draws=np.int64(2)).load()
    assert [size.name for size in drawn.sizes] == ["1 shot", "4 shots"]
    assert Digits(shots=np.int64(4), draws=2).load().digest == Digits(shots=4, draws=2).load().digest


def test_retrieval_has_no_training_images():
    """A set that would leave images out is refused."""
    with pytest.raises(DatasetError, match="retrieval has none"):
        load_searched(Folder("/nowhere", shots=4))
    assert as_retrieval(Digits().load()).name == "digits"
