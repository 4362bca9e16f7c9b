"""The description in an ONNX file, with everything that a program in any language needs to use it."""

from importlib.metadata import version
from typing import Any

from offshelf.backbone.preprocessing import Preprocessing, Upright
from offshelf.serving.onnx.pipeline import upright
from offshelf.serving.predictor import Predictor

FORMAT = 1
"""Version of the description; readers reject other versions."""
ENTRY = "offshelf"
"""Key in the file's metadata; the value is JSON."""


def describe(predictor: Predictor, run: str) -> dict[str, Any]:
    """Describe a run's pipeline in JSON's types.

    `views` are made by the caller from a decoded image, as `View` defines: their `box` is cropped, then brought to
    `preprocessing.crop` pixels a side by their `fit`, with Pillow's antialiased `interpolation`. Transparent pixels
    show the `background`. For images of more than 8 bits `value_range` is black and white; null: the run has had no
    such images. The file makes mirror images and normalises. `precision` is the file's, `trained_precision` that of the
    features that the classifier was fitted to.
    """
    request, model = predictor.request, predictor.model
    views = upright(request.views)
    sees = request.backbone.preprocessing().scaled(views[0].scale)
    key = next(iter(request.keys(predictor.extractor).values()))
    return {
        "format": FORMAT,
        "offshelf": version("offshelf"),
        "run": run,
        "classes": list(model.classes),
        "kind": model.kind,
        "is_multilabel": model.is_multilabel,
        "backbone": request.backbone.name,
        "layer": model.layer,
        "pooling": request.pooling,
        "precision": "float32",
        "trained_precision": predictor.extractor.precision,
        "preprocessing": {
            "resize": sees.resize,
            "crop": sees.crop,
            "interpolation": sees.interpolation,
            **_geometry(sees),
            "background": list(predictor.background),
            "value_range": model.value_range,
        },
        "views": [{"box": list(view.box), "fit": view.fit} for view in views],
        "network_digest": key.network,
        "features_digest": model.features,
    }


def _geometry(sees: Preprocessing) -> dict[str, Any]:
    """Return the geometry of `fit: center` for a network published with another one than the centre square."""
    if not isinstance(sees, Upright):
        return {}
    return {"geometry": type(sees).__name__.lower(), "height": sees.height, "resize_height": sees.resize_height}
