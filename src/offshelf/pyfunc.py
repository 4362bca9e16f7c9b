"""The code of an exported model: MLflow copies this file into the model, and runs it when it loads one."""

from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel

from offshelf.serving import Service


class RunModel(PythonModel):
    """A run's model, with its network."""

    def load_context(self, context: Any) -> None:
        """Build the network, and read the model, once for all requests."""
        self.service = Service.of(Path(context.artifacts["config"]).parent)
        self.service.warm_up()

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        """See Service.answer; `model_input` is a table with a column `image`, `params` may have `probabilities`."""
        return self.service.answer(list(model_input["image"]), bool((params or {}).get("probabilities")))


set_model(RunModel())
