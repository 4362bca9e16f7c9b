"""The code of an exported model: MLflow copies this file into the model, and runs it when it loads the model."""

from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.pyfunc.model import PythonModel

from offshelf.errors import OffshelfError
from offshelf.serving.service import Service


class RunModel(PythonModel):
    """A run's model, with its network."""

    def load_context(self, context: Any) -> None:
        """Build the network, and read the model, once for all requests."""
        self.service = Service.of(Path(context.artifacts["config"]).parent, **(context.model_config or {}))
        self.service.warm_up()

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        """Answer a table with a column `image`; `params` may have `probabilities`. See Service.answer.

        Raises:
            MlflowException: The request cannot be answered; over HTTP that is status 400 and one sentence.
        """
        try:
            return self.service.answer(list(model_input["image"]), (params or {}).get("probabilities"))
        except OffshelfError as error:
            raise MlflowException(str(error), error_code=INVALID_PARAMETER_VALUE) from None


set_model(RunModel())
