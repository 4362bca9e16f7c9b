"""Models in MLflow's own format, from code and data: nothing in them is a pickle; and its registry of models."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from offshelf.errors import TrackingError
from offshelf.home import home_dir
from offshelf.tracking.connection import connect, default_uri, silence

ARTIFACT = "mlflow_model"
"""Folder of a registered model among its run's artifacts."""


@dataclass(frozen=True)
class Parts:
    """What an MLflow model is made of."""

    script: Path
    """Run when the model is loaded; calls `mlflow.models.set_model`."""
    artifacts: Mapping[str, Path]
    """Files that go along, all into one folder."""
    code: Path
    """A package that goes along, and is imported before any that is installed."""
    requirements: list[str]
    """As for pip."""
    settings: Mapping[str, str]
    """What the script finds as `context.model_config`, unless whoever loads the model gives others."""
    probabilities: bool
    """Default of the parameter."""


def save_pyfunc(folder: Path, parts: Parts) -> None:
    """Write a model that takes a column `image` of any type, and a parameter `probabilities`, true or false.

    Args:
        folder: Made; not there yet, or empty.
        parts: What is in it.

    Raises:
        TrackingError: the folder cannot be written, or holds something.
    """
    silence()
    from mlflow.exceptions import MlflowException

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # MLflow's, of type hints in its own code and in the script
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


@dataclass(frozen=True)
class Registered:
    """A version of a model in the registry."""

    name: str
    version: str
    store: str
    """The tracking store that it is in, as MLFLOW_TRACKING_URI has it."""


def register(run: str, folder: Path, name: str, alias: str, where: Mapping[str, str]) -> Registered:
    """Put an MLflow model among its run's artifacts, and into the registry of the run's tracking store.

    Args:
        run: Id of the run that it was made of.
        folder: Holds the model.
        name: In the registry; a name that is there gets a new version.
        alias: Points at this version from now on; empty for none.
        where: As SETTINGS of `reading`.

    Raises:
        TrackingError: the store cannot be reached, or refuses the name or the alias.
    """
    home = Path(home_dir(where["home"]))
    client, _ = connect(home, where["uri"] or None, where["experiment"])
    from mlflow.exceptions import MlflowException

    try:
        client.log_artifacts(run, str(folder), ARTIFACT)
        is_new = True
        try:
            client.create_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
            is_new = False
        source = f"{client.get_run(run).info.artifact_uri}/{ARTIFACT}"
        version = str(client.create_model_version(name, source, run).version)
        try:
            if alias:
                client.set_registered_model_alias(name, alias, version)
        except MlflowException:  # of a misspelt alias nothing is left
            client.delete_model_version(name, version)
            if is_new:
                client.delete_registered_model(name)
            raise
    except (MlflowException, OSError) as error:
        raise TrackingError(f"The model was not registered as '{name}': {str(error).splitlines()[0]}") from error
    return Registered(name, version, where["uri"] or default_uri(home))
