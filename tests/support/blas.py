"""The threads of every BLAS of this process."""

import scipy.linalg  # noqa: F401 - its BLAS is looked at, too
from threadpoolctl import threadpool_info


def blas_threads():
    """Of every BLAS."""
    return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]
