"""The power transform of the 2014 paper."""

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import validate_data

from offshelf.errors import ConfigError


class SignedPower(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """sign(x) |x|^power, component by component: the 2014 paper, sections 3.3 (classification) and 4 (retrieval).

    Args:
        power: Exponent above 0; the paper's 2 emphasises large components, 0.5 reduces them (Perronnin et al., ECCV
            2010).
    """

    def __init__(self, power: float = 2.0) -> None:
        self.power = power

    def fit(self, X: np.ndarray, y: Any = None) -> "SignedPower":
        """Check the power; nothing is learnt from rows [R, D]. Raises ConfigError for a power that is not above 0."""
        check_power(self.power)
        validate_data(self, X, dtype=(np.float64, np.float32))
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Transform rows [R, D] to rows [R, D], float32 from float32."""
        X = validate_data(self, X, dtype=(np.float64, np.float32), reset=False)
        powers = np.abs(X)
        powers **= self.power
        return np.copysign(powers, X, out=powers)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def check_power(power: float) -> None:
    """Raise ConfigError for a power that is not a number above 0."""
    if isinstance(power, bool) or not isinstance(power, int | float) or not 0 < power < np.inf:
        raise ConfigError(f"power must be a number above 0; got {power}.")
