"""k nearest neighbours with the choice of k."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_is_fitted, validate_data

from offshelf.knn.neighbours import Neighbours, find, of_others, voting
from offshelf.retrieval.arrays import arrays_on
from offshelf.svm.cross_validation import first_rows, group_samples
from offshelf.svm.encoding import check_classes
from offshelf.svm.fusion import FUSIONS, Fusion, fuse
from offshelf.svm.group_folds import grouped_folds

Scoring = Literal["accuracy"] | Callable[[np.ndarray, np.ndarray, np.ndarray], float]

DTYPES = [np.float64, np.float32, np.float16]


class KNNProbe(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """k nearest neighbours by exact search, with k chosen by leave-one-out, for all k in one search.

    By default the protocol of DINO (Caron et al., ICCV 2021): the k training rows with the largest cosine s vote for
    their classes with weights exp(s / 0.07). `distance="l2", temperature=None, n_neighbors=1` is the nearest neighbour
    by Euclidean distance. Distances are those of float64.

    Ties: of equally near rows the first is the nearer one; of classes with equal votes the first is predicted. A label
    (of several) is predicted by more than half of the votes.

    Leave-one-out classifies each training sample by all others: its own rows, which `groups` names, are not among its
    neighbours. A copy of a sample in another group is another sample; `clusters` are samples that are no neighbours of
    each other, such as those of one patient. The score of a k is the mean over `cv` parts of
    the samples of the score of each part, whose deviation is the error bar; for the accuracy of parts of equal size
    the mean is the leave-one-out accuracy.

    Args:
        n_neighbors: k, or values to choose from. Of several values, those that exceed the number of rows of other
            samples are left out.
        distance: `cosine` or `l2`.
        temperature: T of the weights exp(s / T) for the cosine s; None: equal votes.
        cv: Number of parts, stratified where there is one label, and shuffled.
        scoring: `accuracy`, or a function of the labels of a part, the responses and the weights that returns a number.
        one_standard_error: Choose the largest k within one standard error (std / √(parts - 1)) of the best.
        validate: Score a single k, too.
        warn_at_edge: Warn where the best k is at an end of the grid, and where values are left out.
        random_state: Fixes the parts.
        fusion: Fusion of the responses to the rows of a group: `sum`, `mean` or `max`; see `fuse`.
        device: `auto` (a GPU if there is one), `cpu` or `cuda`.

    Attributes:
        n_neighbors_: The chosen k; of equally good ones the largest.
        cv_results_: `n_neighbors` (from the largest on), `mean_test_score`, `std_test_score`, `split{i}_test_score`.
        held_out_score_: Score of the chosen k on each part: float64 [cv].
        classes_: The classes, or column numbers of several labels.
    """

    def __init__(
        self,
        n_neighbors: int | Sequence[int] = (10, 20, 100, 200),
        *,
        distance: Literal["cosine", "l2"] = "cosine",
        temperature: float | None = 0.07,
        cv: int = 5,
        scoring: Scoring = "accuracy",
        one_standard_error: bool = False,
        validate: bool = False,
        warn_at_edge: bool = True,
        random_state: int | None = 0,
        fusion: Fusion = "sum",
        device: Literal["auto", "cpu", "cuda"] = "auto",
    ) -> None:
        self.n_neighbors = n_neighbors
        self.distance = distance
        self.temperature = temperature
        self.cv = cv
        self.scoring = scoring
        self.one_standard_error = one_standard_error
        self.validate = validate
        self.warn_at_edge = warn_at_edge
        self.random_state = random_state
        self.fusion = fusion
        self.device = device

    def fit(
        self,
        X: np.ndarray,
        y: np.ndarray,
        sample_weight: np.ndarray | None = None,
        groups: np.ndarray | None = None,
        clusters: np.ndarray | None = None,
    ) -> "KNNProbe":
        """Keep all rows, and choose k.

        Args:
            X: float [R, D].
            y: Classes [R], or an indicator matrix [R, K] of several labels.
            sample_weight: For several labels, [R, K] of 1, and 0 for rows that do not count for a label: they have no
                vote on it, and do not take the place of a neighbour that has.
            groups: [R]; the rows of a group are observations of one sample, and have one label.
            clusters: [R]; to choose k, a sample is classified without all rows of its cluster, and a part has whole
                clusters.

        Raises:
            ValueError: The settings or the data are invalid.
        """
        self._check_settings()
        X, y, weights = self._check(X, y, sample_weight)
        self.references_ = X
        samples = np.arange(len(X)) if groups is None else group_samples(groups, y, weights)
        kin = samples if clusters is None else _joined(samples, clusters)
        grid = self._grid(len(X) - int(np.bincount(kin).max()))
        if len(grid) > 1 or self.validate:
            self._choose(grid, samples, kin, y, weights)
        else:
            self.n_neighbors_ = grid[0]
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Return the share of each class (label) in the votes: float64 [R, K]."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=DTYPES, reset=False)
        return self._responses(self._found(X, self.n_neighbors_), self.n_neighbors_)

    @available_if(lambda self: getattr(self, "kind_", "") == "multilabel")  # type: ignore[untyped-decorator]
    def decision_function(self, X: np.ndarray) -> np.ndarray:
        """Return the share of each of several labels minus one half: float64 [R, K]."""
        return self.predict_proba(X) - 0.5

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Return classes [R], or 0 and 1 for each of several labels [R, K]."""
        shares_RK = self.predict_proba(X)
        if self.kind_ == "multilabel":
            return (shares_RK > 0.5).astype(int)
        return self.classes_[shares_RK.argmax(axis=1)]

    def _choose(
        self, grid: Sequence[int], samples: np.ndarray, kin: np.ndarray, y: np.ndarray, weights: np.ndarray
    ) -> None:
        """Set the chosen k, and the scores of all, by leave-one-out."""
        truth, shares = first_rows(y, samples), first_rows(weights, samples)
        parts = list(self._parts(truth, first_rows(kin, samples)))
        found = self._found(self.references_, max(grid), kin)
        shift = 0.5 if self.kind_ == "multilabel" else 0.0
        scores = np.empty((len(grid), len(parts)))
        for row, k in enumerate(grid):
            fused = fuse(self._responses(found, k) - shift, samples, self.fusion, False)
            scores[row] = [self._score(truth[part], fused[part], shares[part]) for part in parts]
        mean, std = scores.mean(axis=1), scores.std(axis=1)
        best = top = int(mean.argmax())
        if self.one_standard_error:
            best = int(np.argmax(mean >= mean[top] - std[top] / np.sqrt(len(parts) - 1)))
        splits = {f"split{part}_test_score": column for part, column in enumerate(scores.T)}
        self.n_neighbors_, self.held_out_score_ = grid[best], scores[best]
        self.cv_results_ = {
            "n_neighbors": np.array(grid), "mean_test_score": mean, "std_test_score": std, **splits
        }  # fmt: skip
        if self.warn_at_edge and len(grid) > 1 and top in (0, len(grid) - 1) and grid[top] > 1:
            warnings.warn(f"The best n_neighbors, {grid[top]}, is at the edge of the grid.", stacklevel=3)

    def _parts(self, y: np.ndarray, kin: np.ndarray) -> Iterator[np.ndarray]:
        from sklearn.model_selection import KFold, StratifiedKFold

        if len(np.unique(kin)) < len(kin):
            strata = np.unique(y, return_inverse=True)[1] if y.ndim == 1 else None
            count = min(self.cv, len(np.unique(kin)))
            for _, part in grouped_folds(strata, kin, count, self.random_state or 0, must_train=False):
                yield part
            return
        kind = StratifiedKFold if y.ndim == 1 else KFold
        for _, part in kind(self.cv, shuffle=True, random_state=self.random_state).split(y, y):
            yield part

    def _score(self, y: np.ndarray, responses: np.ndarray, weights: np.ndarray) -> float:
        if not isinstance(self.scoring, str):
            return float(self.scoring(y, responses, weights))
        if self.kind_ == "multilabel":
            return float(np.average((responses > 0) == (y > 0), weights=weights))
        return float(np.mean(self.classes_[responses.argmax(axis=1)] == y))

    def _found(self, X: np.ndarray, k: int, own: np.ndarray | None = None) -> list[tuple[np.ndarray, Neighbours]]:
        """Return the nearest k that count, for each set of columns for which the same rows count.

        Args:
            X: Queries [Q, D].
            k: Number of neighbours.
            own: Clusters of the references, which are the queries, so that none has a neighbour of its own; None:
                the queries are others.
        """
        arrays = arrays_on(self.device, "device")
        most = 0 if own is None else int(np.bincount(own).max())
        found = []
        for columns, rows in self.counted():
            references = self.references_ if len(rows) == len(self.references_) else self.references_[rows]
            numbers, similarities = find(references, X, k + most, self.distance, arrays)
            numbers = rows[numbers]
            if own is None:
                found.append((columns, voting(numbers, similarities, self.temperature)))
            else:
                is_own = own[numbers] == own[:, None]
                found.append((columns, of_others(numbers, similarities, is_own, self.temperature)))
        return found

    def counted(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the columns for which the same rows count, and these rows; without columns for which none does."""
        if self.kind_ != "multilabel":
            yield np.arange(len(self.classes_)), np.arange(len(self.references_))
            return
        sets_RS, which_K = np.unique(self.labels_ != 0, axis=1, return_inverse=True)
        for number, counts_R in enumerate(sets_RS.T):
            if counts_R.any():
                yield np.flatnonzero(which_K.ravel() == number), np.flatnonzero(counts_R)

    def _responses(self, found: Sequence[tuple[np.ndarray, Neighbours]], k: int) -> np.ndarray:
        """Return shares of the first k: float64 [Q, K]; 0 for a label for which no row counts."""
        if self.kind_ != "multilabel":
            return found[0][1].class_shares(self.labels_, len(self.classes_), k)
        queries = len(found[0][1].rows_Qk) if found else 0
        shares_QK = np.zeros((queries, len(self.classes_)))
        for columns, neighbours in found:
            for column in columns:
                shares_QK[:, column] = neighbours.label_shares(self.labels_[:, column] > 0, k)
        return shares_QK

    def _grid(self, others: int) -> list[int]:
        """Return the values to choose from, from the largest on: at most the number of rows of other samples."""
        given: list[Any] = np.atleast_1d(np.asarray(self.n_neighbors, object)).tolist()
        whole = [isinstance(k, int | np.integer) and not isinstance(k, bool) and k > 0 for k in given]
        if not given or not all(whole):
            raise ValueError(f"n_neighbors must be a positive whole number, or several; got {self.n_neighbors!r}.")
        most = others if len(given) > 1 or self.validate else len(self.references_)
        grid = sorted({int(k) for k in given if k <= most}, reverse=True)
        if not grid:
            raise ValueError(f"n_neighbors={min(given)} is more than the {most} training rows that can be neighbours.")
        if self.warn_at_edge and len(grid) < len(set(given)):
            warnings.warn(f"There are {most} rows: larger n_neighbors are left out.", stacklevel=3)
        return grid

    def _check_settings(self) -> None:
        for name, choices in {"distance": ("cosine", "l2"), "fusion": FUSIONS}.items():
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} must be one of {', '.join(choices)}; got {getattr(self, name)!r}.")
        if self.temperature is not None and not 0 < self.temperature < np.inf:
            raise ValueError(f"temperature must be a positive number, or None for equal votes; got {self.temperature}.")
        if self.temperature is not None and self.distance != "cosine":
            raise ValueError(
                "temperature weights cosines: with distance=l2 set temperature to None (null), equal votes."
            )

    def _check(self, X: Any, y: Any, sample_weight: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Validate the data, and set classes and labels. Returns X [R, D], y and weights, each [R] or [R, K]."""
        several = y is not None and type_of_target(y, input_name="y").startswith("multilabel")
        X, y = validate_data(self, X, y, dtype=DTYPES, multi_output=several, y_numeric=False)
        check_classes(y)
        weights = np.ones(y.shape) if sample_weight is None else np.asarray(sample_weight, np.float64)
        if weights.shape != y.shape or not np.isin(weights, (0, 1) if several else (1,)).all():
            raise ValueError("sample_weight must be 1, or for several labels 1 or 0, of the shape of y.")
        self.kind_ = "multilabel" if several else "single"
        if several:
            self.classes_ = np.arange(y.shape[1])
            self.labels_: np.ndarray = np.where(weights > 0, np.where(y > 0, 1, -1), 0).astype(np.int8)
        else:
            self.classes_, self.labels_ = np.unique(y, return_inverse=True)
        return X, y, weights


def _joined(samples: np.ndarray, clusters: np.ndarray) -> np.ndarray:
    """Return the number of each row's cluster [R]. Raises ValueError if the rows of a sample are in several."""
    if np.shape(clusters) != samples.shape:
        raise ValueError(f"clusters must be {len(samples)} labels; got shape {np.shape(clusters)}.")
    _, numbers = np.unique(clusters, return_inverse=True)
    _, of_sample = np.unique(samples, return_index=True)
    if (numbers != numbers[of_sample][samples]).any():
        raise ValueError("The rows of a sample (groups) must be of one cluster.")
    return numbers
