"""Measures how good off-the-shelf features are for an image set.

The names below are the Python API. Each is imported when it is first used, so that `import offshelf` itself loads
neither PyTorch, scikit-learn, MLflow nor Hydra.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from offshelf.api.backbone import Backbone, load_backbone
    from offshelf.api.comparison import compare, compare_report
    from offshelf.api.features import Features
    from offshelf.api.inspecting import inspect
    from offshelf.api.loaded_run import load
    from offshelf.api.verbs import classify, recommend, retrieve
    from offshelf.errors import (
        BackboneError,
        BadImagesError,
        ConfigError,
        DatasetError,
        ImageError,
        MissingFeatureError,
        ModelError,
        OffshelfError,
        StoreError,
        SweepError,
        TrackingError,
    )
    from offshelf.knn import KNNProbe
    from offshelf.logistic import LogisticProbe, LogisticProbeCV
    from offshelf.ridge import RidgeProbe, RidgeProbeCV
    from offshelf.svm import LinearSVM, LinearSVMCV

__version__ = "0.1.0"

__all__ = [
    "Backbone",
    "BackboneError",
    "BadImagesError",
    "ConfigError",
    "DatasetError",
    "Features",
    "ImageError",
    "KNNProbe",
    "LinearSVM",
    "LinearSVMCV",
    "LogisticProbe",
    "LogisticProbeCV",
    "MissingFeatureError",
    "ModelError",
    "OffshelfError",
    "RidgeProbe",
    "RidgeProbeCV",
    "StoreError",
    "SweepError",
    "TrackingError",
    "classify",
    "compare",
    "compare_report",
    "inspect",
    "load",
    "load_backbone",
    "recommend",
    "retrieve",
]

_MODULES = {
    "Backbone": "offshelf.api.backbone",
    "load_backbone": "offshelf.api.backbone",
    "classify": "offshelf.api.verbs",
    "compare": "offshelf.api.comparison",
    "inspect": "offshelf.api.inspecting",
    "compare_report": "offshelf.api.comparison",
    "load": "offshelf.api.loaded_run",
    "recommend": "offshelf.api.verbs",
    "retrieve": "offshelf.api.verbs",
    "Features": "offshelf.api.features",
    "KNNProbe": "offshelf.knn",
    "LinearSVM": "offshelf.svm",
    "LinearSVMCV": "offshelf.svm",
    "LogisticProbe": "offshelf.logistic",
    "LogisticProbeCV": "offshelf.logistic",
    "RidgeProbe": "offshelf.ridge",
    "RidgeProbeCV": "offshelf.ridge",
}
"""Where public names are defined; all others are in `offshelf.errors`."""


def __getattr__(name: str) -> Any:
    """Import a public name (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_MODULES.get(name, "offshelf.errors")), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
