"""Models in MLflow's own format, made of code and data files without pickles."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from offshelf.errors import TrackingError
from offshelf.tracking.mlflow.client import quiet_mlflow


@dataclass(frozen=True)
class Parts:
    """The parts of an MLflow model."""

    script: Path
    """Script that is run when the model is loaded; it calls `mlflow.models.set_model`."""
    artifacts: Mapping[str, Path]
    """Files to include, all in one folder."""
    code: Path
    """A package to include, which takes precedence over an installed one."""
    requirements: list[str]
    """Requirements in pip's format."""
    settings: Mapping[str, str]
    """Defaults of `context.model_config`, which users of the model may override when they load it."""
    probabilities: bool
    """Default of the parameter `probabilities`."""


def save_pyfunc(folder: Path, parts: Parts) -> None:
    """Write a model that takes a column `image` of any type, and a parameter `probabilities`, true or false.

    Args:
        folder: Folder to create; it must not exist, or be empty.
        parts: Parts of the model.

    Raises:
        TrackingError: The folder cannot be written to, or is not empty.
    """
    quiet_mlflow()
    from mlflow.exceptions import MlflowException

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of MLflow, about type hints in its own code and in the script
            _save(folder, parts)
    except (MlflowException, OSError) as error:
        raise TrackingError(f"The model was not written to {folder}: {str(error).splitlines()[0]}") from error


def _save(folder: Path, parts: Parts) -> None:
    from mlflow.models import ModelSignature
    from mlflow.pyfunc import save_model
    from mlflow.types.schema import AnyType, ColSpec, ParamSchema, ParamSpec, Schema

    params = ParamSchema([ParamSpec("probabilities", "boolean", parts.probabilities)])
    signature = ModelSignature(Schema([ColSpec(AnyType(), "image")]), params=params)  # type: ignore[no-untyped-call]
    save_model(
        folder,
        python_model=str(parts.script),
        artifacts={name: str(path) for name, path in parts.artifacts.items()},
        code_paths=[str(parts.code)],
        model_config=dict(parts.settings),
        signature=signature,
        pip_requirements=parts.requirements,
    )
