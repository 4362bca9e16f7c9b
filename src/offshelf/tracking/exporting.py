"""Models in MLflow's own format, from code and data: nothing in them is a pickle."""

import warnings
from collections.abc import Mapping
from pathlib import Path

from offshelf.errors import TrackingError
from offshelf.tracking.connection import silence


def save_pyfunc(folder: Path, script: Path, artifacts: Mapping[str, Path], requirements: list[str]) -> None:
    """Write a model that takes a column `image` of any type.

    Args:
        folder: Made; not there yet, or empty.
        script: Run when the model is loaded; calls `mlflow.models.set_model`.
        artifacts: Files that go along, all into one folder.
        requirements: As for pip.

    Raises:
        TrackingError: the folder cannot be written, or holds something.
    """
    silence()
    from mlflow.exceptions import MlflowException

    files = {name: str(path) for name, path in artifacts.items()}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # MLflow's, of type hints in its own code and in the script
            _save(folder, script, files, requirements)
    except (MlflowException, OSError) as error:
        raise TrackingError(f"The model was not written to {folder}: {str(error).splitlines()[0]}") from error


def _save(folder: Path, script: Path, files: dict[str, str], requirements: list[str]) -> None:
    from mlflow.models import ModelSignature
    from mlflow.pyfunc import save_model
    from mlflow.types.schema import AnyType, ColSpec, Schema

    signature = ModelSignature(Schema([ColSpec(AnyType(), "image")]))  # type: ignore[no-untyped-call]
    save_model(folder, python_model=str(script), artifacts=files, signature=signature, pip_requirements=requirements)
