"""MLflow's registry of models."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from offshelf.errors import TrackingError
from offshelf.home import home_dir
from offshelf.tracking.mlflow.artifact_errors import artifact_errors
from offshelf.tracking.mlflow.client import connect, default_uri

ARTIFACT = "mlflow_model"
"""Folder of a registered model among the artifacts of its run."""


@dataclass(frozen=True)
class Registered:
    """A version of a model in the registry."""

    name: str
    version: str
    store: str
    """Tracking store that has it, in the form of MLFLOW_TRACKING_URI."""


def register(run: str, folder: Path, name: str, alias: str, where: Mapping[str, str]) -> Registered:
    """Log an MLflow model as an artifact of its run, and add it to the registry of the run's tracking store.

    Args:
        run: Id of the run that the model was made from.
        folder: Folder with the model.
        name: Name in the registry; an existing name gets a new version.
        alias: Alias of this version from now on; empty for none.
        where: Settings of the store, as `reading.SETTINGS`.

    Raises:
        TrackingError: The store cannot be reached, or refuses the name or the alias.
    """
    home = Path(home_dir(where["home"]))
    client, _ = connect(home, where["uri"] or None, where["experiment"])
    from mlflow.exceptions import MlflowException

    try:
        with artifact_errors():
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
        except MlflowException:  # leave nothing behind, for example after a misspelt alias
            client.delete_model_version(name, version)
            if is_new:
                client.delete_registered_model(name)
            raise
    except (MlflowException, OSError) as error:
        raise TrackingError(f"The model was not registered as '{name}': {str(error).splitlines()[0]}") from error
    return Registered(name, version, where["uri"] or default_uri(home))
