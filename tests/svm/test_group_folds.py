"""Folds that keep groups together, compared with scikit-learn's."""

import numpy as np
import pytest
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

from offshelf.svm.group_folds import grouped_folds, grouped_split, groups_by_class


def cohort(patients=24, each=5, classes=3, seed=0):
    """Classes and patients of images; a patient has one class."""
    rng = np.random.default_rng(seed)
    groups = rng.permutation(np.repeat(np.arange(patients), each))
    return groups % classes, groups


def test_folds_are_those_of_scikit_learn():
    """Stratified where there are classes, and not where there are none."""
    strata, groups = cohort()
    zeros = np.zeros(len(groups))
    theirs = StratifiedGroupKFold(4, shuffle=True, random_state=3).split(zeros, strata, groups)
    plain = GroupKFold(4, shuffle=True, random_state=3).split(zeros, groups=groups)

    for mine, (train, test) in zip(grouped_folds(strata, groups, 4, 3), theirs, strict=True):
        assert (mine[0] == train).all() and (mine[1] == test).all()
    for mine, (_, test) in zip(grouped_folds(None, groups, 4, 3), plain, strict=True):
        assert (mine[1] == test).all()


@pytest.mark.parametrize("seed", range(20))
def test_each_class_is_trained_on_in_every_fold(seed):
    """Also where a class has two groups alone, for which scikit-learn's first draw may have one part."""
    groups = np.repeat(np.arange(8), [1, 1, 9, 2, 5, 3, 7, 2])
    strata = np.isin(groups, (0, 1)).astype(int)
    folds = grouped_folds(strata, groups, 2, seed)

    for train, test in folds:
        assert set(strata[train]) == {0, 1}
        assert not set(groups[train]) & set(groups[test])
    assert sorted(np.concatenate([test for _, test in folds])) == list(range(len(groups)))


@pytest.mark.parametrize("fraction", [0.05, 0.1, 0.25, 0.3, 0.5, 0.8])
def test_split_has_the_fraction(fraction):
    """Within the size of two groups; each class is on both sides."""
    strata, groups = cohort(patients=60)
    train, test = grouped_split(strata, groups, fraction, 0)

    assert abs(len(test) / len(groups) - fraction) <= 0.04
    assert set(strata[train]) == set(strata[test]) == {0, 1, 2}
    assert not set(groups[train]) & set(groups[test])
    assert len(train) + len(test) == len(groups)


@pytest.mark.parametrize(("fraction", "tested"), [(0.001, 1), (0.999, 8)])
def test_extreme_fractions(fraction, tested):
    """One group at least on a side, and of each class one to train on."""
    groups = np.repeat(np.arange(10), 3)
    train, test = grouped_split(groups % 2, groups, fraction, 0)

    assert len(test) == 3 * tested
    assert set(groups[train] % 2) == {0, 1}


def test_too_few_groups():
    """Two groups make no three folds; a class of one group is in no training part of some fold."""
    with pytest.raises(ValueError, match=r"there are 2 group\(s\), and 3 are needed"):
        grouped_folds(np.array([0, 1, 0, 1]), np.array([0, 0, 1, 1]), 3, 0)
    with pytest.raises(ValueError, match="left a class without training images"):
        grouped_folds(np.array([0, 0, 1, 1]), np.array([0, 1, 2, 2]), 2, 0)
    assert len(grouped_folds(np.array([0, 0, 1, 1]), np.array([0, 1, 2, 2]), 2, 0, must_train=False)) == 2


def test_groups_by_class():
    """A group counts for each of its classes, once."""
    assert groups_by_class(np.array([0, 0, 1, 1, 1]), np.array([5, 5, 5, 7, 8]), 3).tolist() == [1, 3, 0]
