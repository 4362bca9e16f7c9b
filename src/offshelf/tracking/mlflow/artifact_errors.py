"""What goes wrong with the files of runs, which may lie in a bucket that packages of others talk to."""

from collections.abc import Iterator
from contextlib import contextmanager

from offshelf.tracking.mlflow.retries import mlflow_errors

PACKAGES = {"google": "google-cloud-storage", "azure": "azure-storage-blob"}
"""Packages whose modules have another name."""


@contextmanager
def artifact_errors() -> Iterator[None]:
    """Raise whatever the client of an artifact store raises as MLflow's exception.

    Where a server does not pass artifacts on (`mlflow server --no-serve-artifacts`), MLflow's client talks to their
    store itself, and lets through what boto3 and its like raise, and that they are missing.

    Raises:
        MlflowException: the store cannot be used; its text says why.
    """
    from mlflow.exceptions import MlflowException

    try:
        yield
    except ImportError as error:
        package = PACKAGES.get((error.name or "").partition(".")[0], error.name)
        raise MlflowException(
            f"they lie in a store whose client is not installed here: pip install {package}"
        ) from error
    except mlflow_errors():
        raise
    except Exception as error:
        first: BaseException = error  # "Failed to upload" says less than the answer that it comes of
        while inner := first.__cause__ or first.__context__:
            first = inner
        raise MlflowException(f"{type(first).__name__}: {first}") from error
