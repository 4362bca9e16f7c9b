"""The base class of logistic probes: settings, problems from labels, probabilities."""

from collections.abc import Iterator, Sequence

import numpy as np

from offshelf.logistic.solver import Problems, Solution, solve
from offshelf.svm.fit_progress import shown_beside
from offshelf.svm.linear_classifier import LinearClassifier
from offshelf.svm.monitor import Monitor


class LogisticProbeBase(LinearClassifier):
    """The common part of LogisticProbe and LogisticProbeCV; not an estimator by itself."""

    CHOICES = {"multiclass": ("multinomial", "ovr"), "bias": ("penalised", "free", "none")}  # noqa: RUF012 - a ClassVar

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Return probabilities of classes [R, K].

        One-vs-rest probabilities are divided by their sum, as scikit-learn's are. For several labels each column is the
        probability of its label.
        """
        return self.probabilities_of(self._decisions(X))

    def predict_log_proba(self, X: np.ndarray) -> np.ndarray:
        """Return the logarithms of the probabilities [R, K]."""
        from scipy.special import log_expit, log_softmax

        decisions = self._decisions(X)
        if self.kind_ == "multinomial":
            return log_softmax(decisions, axis=1)
        if self.kind_ == "binary":
            return log_expit(np.concatenate([-decisions, decisions], axis=1))
        logs: np.ndarray = log_expit(decisions)
        return logs if self.kind_ == "multilabel" else log_softmax(logs, axis=1)

    def probabilities_of(self, decisions: np.ndarray) -> np.ndarray:
        """Return probabilities [R, K] from decision values, [R] for two classes, else [R, K]."""
        from scipy.special import expit, softmax

        if self.kind_ == "multinomial":
            return softmax(decisions, axis=1)
        if self.kind_ == "binary":
            first = np.ravel(decisions)
            return expit(np.stack([-first, first], axis=1))
        each: np.ndarray = expit(decisions)
        return each if self.kind_ == "multilabel" else each / each.sum(axis=1, keepdims=True)

    def _problems(self, y: np.ndarray, weights: np.ndarray, members_RV: np.ndarray) -> Problems:
        encoding = self._encoding()
        weights_RP = encoding.weights(y, weights, self.class_weight)
        is_multinomial = self.kind_ == "multinomial"
        labels = encoding.numbers(y) if is_multinomial else encoding.signs(y)[:, :]
        classes = len(self.classes_) if is_multinomial else 1
        return Problems(labels, classes, members_RV, weights_RP, self.bias, float(self.intercept_scaling))

    def _solve(
        self, X: np.ndarray, y: np.ndarray, weights: np.ndarray, members_RV: np.ndarray, Cs: Sequence[float]
    ) -> Iterator[tuple[slice, Solution]]:
        """Solve all problems, and warn of those that do not reach the tolerance."""
        self._check_grid(Cs)
        problems, monitor = self._problems(y, weights, members_RV), Monitor()
        with shown_beside(monitor):
            yield from self._reported(solve(X, problems, Cs, self.tol, self._start(X), monitor), "logistic")

    def _start(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """Return weights [P, D] and biases [P] to start from, if there are any."""
        return None
