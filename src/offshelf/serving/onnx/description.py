"""What an ONNX file says of itself: all that a program in any language needs to feed it and to read its answers."""

from importlib.metadata import version
from typing import Any

from offshelf.backbone.preprocessing import Preprocessing, Upright
from offshelf.serving.onnx.pipeline import upright
from offshelf.serving.predictor import Predictor

FORMAT = 1
"""Another one is not read by what knows this one."""
ENTRY = "offshelf"
"""Its key in the file's metadata; the value is JSON."""


def describe(predictor: Predictor, run: str) -> dict[str, Any]:
    """The description of a run's pipeline, in JSON's types.

    `views` are those that the caller makes of a decoded image, as `View` says: their `box` is cut out, then brought
    to `preprocessing.crop` pixels a side by their `fit`, with Pillow's antialiased `interpolation`. Transparent pixels
    show the `background`. Of images of more than 8 bits `value_range` says what is black and what is white; null: the
    run has seen none. Mirror images and normalisation are the file's own. `precision` is the file's,
    `trained_precision` that of the features the classifier was fitted on.
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
    """What `fit: center` is for a network that was published with something else than the centre square."""
    if not isinstance(sees, Upright):
        return {}
    return {"geometry": type(sees).__name__.lower(), "height": sees.height, "resize_height": sees.resize_height}
