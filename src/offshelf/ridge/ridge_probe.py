"""Ridge regression as a scikit-learn regressor, for one penalty."""

import numpy as np

from offshelf.ridge.base import RidgeProbeBase, factorise, interruptible
from offshelf.ridge.problem import Problem


class RidgeProbe(RidgeProbeBase):
    """Ridge regression with a free intercept: the minimum of Σ c_i (y_i − x_i·w − b)² + α|w|².

    It is that of scikit-learn's Ridge, in float64 whatever the rows are.

    Args:
        alpha: Penalty α; positive.

    Attributes:
        coef_: float64 [D].
        intercept_: float.
    """

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha

    def fit(self, X: np.ndarray, y: np.ndarray, sample_weight: np.ndarray | None = None) -> "RidgeProbe":
        """Fit the model.

        Args:
            X: float [R, D]; memory-mapped arrays are streamed, not loaded.
            y: Numbers [R].
            sample_weight: The c_i above, [R]; non-negative.

        Raises:
            ValueError: alpha or the data are invalid.
        """
        self._check_penalties([self.alpha])
        X, y, weights = self._check(X, y, sample_weight)
        kept = weights > 0
        if not kept.all():
            X, y, weights = X[kept], y[kept], weights[kept]
        problem = Problem(X, y, weights, np.ones((len(X), 1), bool))
        self.coef_, self.intercept_ = interruptible(lambda: factorise(problem).model(self.alpha))
        return self
