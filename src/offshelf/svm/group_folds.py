"""Folds and splits that keep a group on one side: the images of one patient, the frames of one video.

They are drawn by scikit-learn's StratifiedGroupKFold, which stratifies as far as the groups permit, or GroupKFold where
there is nothing to stratify by. A draw that leaves a class without training rows in some fold is drawn again.
"""

import warnings
from collections.abc import Callable, Iterator
from fractions import Fraction

import numpy as np

from offshelf.svm.cross_validation import Split

TRIES = 100
"""Number of draws, with seeds from the given one on."""
FINEST = 20
"""Largest number of folds from which a split is put together."""


def groups_by_class(targets_N: np.ndarray, groups_N: np.ndarray, classes: int) -> np.ndarray:
    """Return the number of groups that have an image of each class: int64 [K]."""
    pairs = np.unique(np.stack([targets_N, groups_N]), axis=1)
    return np.bincount(pairs[0], minlength=classes)


def grouped_folds(
    strata_N: np.ndarray | None, groups_N: np.ndarray, folds: int, seed: int, must_train: bool = True
) -> list[Split]:
    """Return the training and held-out rows of each fold.

    Args:
        strata_N: Classes to stratify by, int64 [N]; None: there are none.
        groups_N: Groups, int64 [N].
        folds: Number of folds; at most the number of groups.
        seed: Seed of the first draw.
        must_train: Whether every class has to be trained on in every fold; else it is if a draw has it so.

    Raises:
        ValueError: There are fewer groups than folds, or no draw has all classes in every training part.
    """
    everything = np.arange(len(groups_N))

    def is_sound(parts: list[np.ndarray]) -> bool:
        return all(_has_all(strata_N, np.setdiff1d(everything, part)) for part in parts)

    parts = _first(strata_N, groups_N, folds, seed, (is_sound, *_any(must_train)))
    return [(np.setdiff1d(everything, part), part) for part in parts]


def grouped_split(
    strata_N: np.ndarray | None, groups_N: np.ndarray, test_fraction: float, seed: int, must_train: bool = True
) -> Split:
    """Return rows to train on and to test on, with about this fraction of the rows for testing.

    Folds are drawn, and as many of them are tested on as the fraction needs: one of 4 for a quarter, 3 of 10 for 0.3;
    fewer if a class were left without training images. Draws with all classes in both parts are preferred.

    Raises:
        ValueError: There are fewer than two groups, or no draw has all classes in the training part.
    """
    most = max(2, min(FINEST, len(np.unique(groups_N))))
    share = Fraction(test_fraction).limit_denominator(most)
    share = min(max(share, Fraction(1, most)), Fraction(most - 1, most))
    for tested in range(share.numerator, 0, -1):
        try:
            return _split(strata_N, groups_N, (tested, share.denominator), seed, must_train)
        except ValueError:
            if tested == 1:
                raise
    raise AssertionError


def _split(
    strata_N: np.ndarray | None, groups_N: np.ndarray, share: tuple[int, int], seed: int, must_train: bool
) -> Split:
    """Return a split that tests on the first of some folds. Raises ValueError as `grouped_split`."""
    tested, folds = share

    def rows(parts: list[np.ndarray]) -> Split:
        return np.sort(np.concatenate(parts[tested:])), np.sort(np.concatenate(parts[:tested]))

    def trains_all(parts: list[np.ndarray]) -> bool:
        return _has_all(strata_N, rows(parts)[0])

    def has_all(parts: list[np.ndarray]) -> bool:
        return trains_all(parts) and _has_all(strata_N, rows(parts)[1])

    return rows(_first(strata_N, groups_N, folds, seed, (has_all, trains_all, *_any(must_train))))


def _any(must_train: bool) -> tuple[Callable[[list[np.ndarray]], bool], ...]:
    return () if must_train else (lambda parts: True,)


def _first(
    strata_N: np.ndarray | None,
    groups_N: np.ndarray,
    folds: int,
    seed: int,
    wishes: tuple[Callable[[list[np.ndarray]], bool], ...],
) -> list[np.ndarray]:
    """Return the first draw that fulfils the first of the wishes that any draw fulfils. Raises ValueError."""
    count = len(np.unique(groups_N))
    if count < folds:
        raise ValueError(f"there are {count} group(s), and {folds} are needed, one for each fold.")
    drawn: list[list[np.ndarray]] = []
    for wish in wishes:
        for number in range(TRIES):
            if number == len(drawn):
                drawn.append(list(_parts(strata_N, groups_N, folds, seed + number)))
            if all(len(part) for part in drawn[number]) and wish(drawn[number]):
                return drawn[number]
    raise ValueError(
        f"{TRIES} draws of {folds} folds left a class without training images in one: nearly all of its images are of "
        "one group, or fewer folds are needed."
    )


def _parts(strata_N: np.ndarray | None, groups_N: np.ndarray, folds: int, seed: int) -> Iterator[np.ndarray]:
    """Yield the held-out rows of the folds of one draw."""
    from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

    rows = np.zeros(len(groups_N))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes with fewer images than folds
        if strata_N is None or np.bincount(strata_N).max() < folds:
            drawn = GroupKFold(folds, shuffle=True, random_state=seed).split(rows, groups=groups_N)
        else:
            drawn = StratifiedGroupKFold(folds, shuffle=True, random_state=seed).split(rows, strata_N, groups_N)
        for _, part in drawn:
            yield part


def _has_all(strata_N: np.ndarray | None, rows: np.ndarray) -> bool:
    return strata_N is None or len(np.unique(strata_N[rows])) == len(np.unique(strata_N))
