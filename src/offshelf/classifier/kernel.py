"""The linear kernel of libsvm, in one product."""

import numpy as np

from offshelf.errors import ConfigError
from offshelf.svm.solver.dispatch import GRAM_ROWS


def gram(rows_MD: np.ndarray, train_RD: np.ndarray) -> np.ndarray:
    """Return inner products float64 [M, R]. `kernel="linear"` computes them one by one, again for each pair of classes.

    Raises:
        ConfigError: There are too many training rows.
    """
    if len(train_RD) > GRAM_ROWS:
        raise ConfigError(
            f"SVC holds the Gram matrix of at most {GRAM_ROWS:,} training rows; there are {len(train_RD):,}. "
            "Use classifier=linear_svm_ovr"
        )
    return rows_MD @ train_RD.T
