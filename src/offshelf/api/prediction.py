"""Classes of images by the model of a run."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from offshelf.api.images import Reader, image_list
from offshelf.errors import BadImagesError
from offshelf.model import columns
from offshelf.serving.predictor import Predictor
from offshelf.store import FeatureStore
from offshelf.terminal import quiet

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True, eq=False)
class Classes:
    """The way from images to classes."""

    predictor: Predictor
    store: FeatureStore
    """Features of images that were seen before are in it."""


def predict(classes: Classes, images: Any, probabilities: bool | None = None, progress: bool = False) -> "DataFrame":
    """Return the classes of images, a row per image; see `Classification.predict`."""
    import pandas as pd

    predictor = classes.predictor
    model = predictor.model
    likely = model.calibration is not None if probabilities is None else probabilities
    if likely:
        model.probabilities(np.empty((0, len(model.classes))))  # refuses before any work
    listed = image_list(images, Reader(predictor.background, model.value_range, predictor.max_pixels))
    with quiet(not progress):
        try:
            scores_NK = np.concatenate(list(predictor.scores(listed.images, classes.store)))
        except BadImagesError as bad:
            raise listed.named(bad) from None
    names = [str(one) for one in listed.ids]
    table = pd.DataFrame(columns(model, names, scores_NK, likely))
    table["image"] = list(listed.ids)
    return table.set_index("image")
