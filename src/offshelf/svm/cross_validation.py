"""Cross-validation over samples with several rows, and the choice from a grid by its scores."""

import warnings
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from offshelf.metric import LabelKind, mean_of_known

Split = tuple[np.ndarray, np.ndarray]


class GridEdgeWarning(UserWarning):
    """Warning that the best value of a hyperparameter is the smallest or the largest of the grid."""


def group_samples(groups: np.ndarray, y: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the number of each row's sample [R]. Raises ValueError if rows of a group differ in label or weight."""
    if np.shape(groups) != (len(y),):
        raise ValueError(f"groups must be {len(y)} group labels; got shape {np.shape(groups)}.")
    names, first, samples = np.unique(groups, return_index=True, return_inverse=True)
    for what, values in (("labels", y), ("weights", weights)):
        differ = (values != values[first][samples]).reshape(len(y), -1).any(axis=1)
        if differ.any():
            raise ValueError(
                "The rows of a group are observations of one sample, but those of group "
                f"'{names[samples[differ][0]]}' have several {what}. To keep different samples in one fold, use "
                "cv=list(GroupKFold(5).split(X, y, groups))."
            )
    return samples


def first_rows(values: np.ndarray, samples: np.ndarray) -> np.ndarray:
    """Return the values of the first row of each sample, in the order of samples."""
    first: np.ndarray = values[np.unique(samples, return_index=True)[1]]
    return first


def make_splits(
    cv: int | Iterable[Split], y: np.ndarray, samples: np.ndarray, kind: LabelKind, random_state: int | None
) -> list[Split]:
    """Return the training and held-out rows of each fold; all rows of a sample are in one.

    Raises:
        ValueError: there are fewer than two folds, or fewer samples (of a class) than folds.
    """
    if not isinstance(cv, int):
        return [(np.asarray(train), np.asarray(test)) for train, test in cv]
    if cv < 2:
        raise ValueError(f"cv must be at least 2; got {cv}.")

    def rows(part: np.ndarray) -> np.ndarray:
        return np.flatnonzero(np.isin(samples, part))

    of_samples = shuffled_folds(first_rows(y, samples), cv, kind, random_state)
    return [(rows(train), rows(test)) for train, test in of_samples]


def shuffled_folds(labels_N: np.ndarray, folds: int, kind: LabelKind, random_state: int | None) -> Iterator[Split]:
    """Yield the numbers of training and held-out samples of folds, which are stratified except for several labels.

    Raises:
        ValueError: there are fewer samples, or samples of each class, than folds.
    """
    from sklearn.model_selection import KFold, StratifiedKFold

    splitter = KFold if kind == "labels" else StratifiedKFold
    strata = number_strata(labels_N, folds) if kind == "number" else labels_N
    yield from splitter(folds, shuffle=True, random_state=random_state).split(strata, strata)


def number_strata(numbers_N: np.ndarray, size: int) -> np.ndarray:
    """Return the stratum of each number, int64 [N]: the `size` smallest are the first, the next the second, and so on.

    A part with a share of each stratum has numbers from the whole range. What is left over belongs to the last one.
    """
    ranks = np.argsort(np.argsort(numbers_N, kind="stable"), kind="stable")
    return np.minimum(ranks // size, max(1, len(numbers_N) // size) - 1)


def memberships(rows: int, splits: Sequence[Split]) -> np.ndarray:
    """Return the rows that each fold is fitted to, and in the last column all: bool [R, folds + 1]."""
    members = np.ones((rows, len(splits) + 1), bool)
    for fold, (train, _) in enumerate(splits):
        members[:, fold] = False
        members[train, fold] = True
    return members


def choose_best(scores_CFK: np.ndarray, one_standard_error: bool) -> np.ndarray:
    """Return the rows of the best values, [K], by the mean of the known scores over folds; the first of equals.

    With `one_standard_error` it is the first value within one standard error (std / sqrt(folds - 1)) of the best.
    """
    mean = mean_of_known(scores_CFK, axis=1)
    std = np.sqrt(mean_of_known(np.square(scores_CFK - mean[:, None]), axis=1))
    best: np.ndarray = mean.argmax(axis=0)
    folds = scores_CFK.shape[1]
    if one_standard_error and folds > 1:
        top = np.take_along_axis(mean - std / np.sqrt(folds - 1), best[None], 0)
        best = (mean >= top).argmax(axis=0)
    return best


def scores_by_value(parameter: str, values: Sequence[float], scores_CF: np.ndarray) -> dict[str, np.ndarray]:
    """Return scores under the names of scikit-learn's `cv_results_`: each [C]."""
    splits = {f"split{fold}_test_score": scores for fold, scores in enumerate(scores_CF.T)}
    summary = {"mean_test_score": scores_CF.mean(axis=1), "std_test_score": scores_CF.std(axis=1)}
    return {parameter: np.array(values), **summary, **splits}


def warn_at_edge(parameter: str, values: Sequence[float], best: np.ndarray, stacklevel: int) -> None:
    """Warn of chosen values, given by their rows, that are at an end of the grid."""
    at_edge = [values[number] for number in np.unique(best) if number in (0, len(values) - 1)]
    if at_edge:
        edges = " and ".join(f"{value:g}" for value in at_edge)
        message = f"The best {parameter}, {edges}, is at the edge of the grid."
        warnings.warn(message, GridEdgeWarning, stacklevel=stacklevel + 1)
