"""Serialisation of fitted estimators and transformers as numbers.

Those known here become settings and arrays. Any other estimator becomes a skops file, which is read only if it contains
nothing but types of scikit-learn and offshelf.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from offshelf.errors import ModelError

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Kind:
    """The location of a class, and the attributes with which it transforms or predicts."""

    module: str
    settings: tuple[str, ...] = ()
    """Parameters of the constructor."""
    fitted: tuple[str, ...] = ()
    """Attributes set by fitting: arrays, numbers, strings, or None."""


KINDS = {
    "FunctionTransformer": Kind("sklearn.preprocessing"),  # without a function, as in postprocess=none
    "Normalizer": Kind("sklearn.preprocessing", ("norm",)),
    "StandardScaler": Kind("sklearn.preprocessing", ("with_mean", "with_std"), ("mean_", "scale_")),
    "DomainScaler": Kind("offshelf.postprocess", ("with_mean", "with_std"), ("mean_", "scale_")),
    "Projection": Kind("offshelf.postprocess", (), ("mean_", "components_")),
    "SignedPower": Kind("offshelf.postprocess", ("power",)),
    "LinearSVM": Kind(
        "offshelf.svm",
        ("multiclass", "ovo_decision", "decision_function_shape"),
        ("classes_", "coef_", "intercept_", "kind_", "method_", "fallback_method_", "n_fallback_tasks_"),
    ),
    "LogisticProbe": Kind("offshelf.logistic", ("multiclass",), ("classes_", "coef_", "intercept_", "kind_")),
    "RidgeProbe": Kind("offshelf.ridge", (), ("coef_", "intercept_")),
    "KNNProbe": Kind(
        "offshelf.knn",
        ("distance", "temperature"),
        ("classes_", "references_", "labels_", "kind_", "n_neighbors_"),
    ),
}
ALIASES = {"LinearSVMCV": "LinearSVM", "LogisticProbeCV": "LogisticProbe", "RidgeProbeCV": "RidgeProbe"}
"""Classes by which others are replaced: the choice of a hyperparameter does not matter for prediction."""

TRUSTED = frozenset({"offshelf.classifier.label.EachLabel", "offshelf.classifier.kernel.gram"})
"""Names of offshelf that may be in a skops file."""

PIPELINE = "Pipeline"
BY_PART = "ByPart"
SKOPS = "skops"


def pack(part: Any, name: str, arrays: Arrays) -> dict[str, Any]:
    """Describe a fitted estimator in JSON's types; add its arrays to `arrays`, under `name` and a dot.

    Raises:
        ModelError: It contains code, or types that are neither scikit-learn's nor offshelf's.
    """
    word = ALIASES.get(type(part).__name__, type(part).__name__)
    if word == PIPELINE:
        steps = [step for _, step in part.steps if step != "passthrough"]
        return {"kind": PIPELINE, "steps": [pack(step, f"{name}.{row}", arrays) for row, step in enumerate(steps)]}
    if word == BY_PART and type(part).__module__.startswith("offshelf."):
        parts = [pack(one, f"{name}.{row}", arrays) for row, one in enumerate(part.transformers_)]
        return {"kind": BY_PART, "parts": parts, "widths": list(map(int, part.widths))}
    is_known = word in KINDS and type(part).__module__.startswith(KINDS[word].module)
    if not is_known or getattr(part, "func", None) is not None:
        return _pack_foreign(part, name, arrays)
    kind = KINDS[word]
    described: dict[str, Any] = {"kind": word, "settings": {key: getattr(part, key) for key in kind.settings}}
    fitted = {key: getattr(part, key) for key in (*kind.fitted, "n_features_in_") if hasattr(part, key)}
    arrays |= {f"{name}.{key}": value for key, value in fitted.items() if isinstance(value, np.ndarray)}
    return described | {"fitted": {key: value for key, value in fitted.items() if not isinstance(value, np.ndarray)}}


def unpack(described: Mapping[str, Any], name: str, arrays: Arrays) -> Any:
    """Rebuild the estimator that `pack` described.

    Raises:
        ModelError: It is of an unknown kind, or a skops file that would execute code.
    """
    word = described["kind"]
    if word == PIPELINE:
        from sklearn.pipeline import make_pipeline

        return make_pipeline(*(unpack(step, f"{name}.{row}", arrays) for row, step in enumerate(described["steps"])))
    if word == BY_PART:
        return _unpack_parts(described, name, arrays)
    if word == SKOPS:
        return _unpack_foreign(arrays[name].tobytes())
    if word not in KINDS:
        raise ModelError(f"The model has a part of the kind '{word}', which this offshelf does not know; update it.")
    settings = {key: described["settings"][key] for key in KINDS[word].settings if key in described["settings"]}
    made = getattr(import_module(KINDS[word].module), word)(**settings)
    for key in (*KINDS[word].fitted, "n_features_in_"):
        if f"{name}.{key}" in arrays or key in described["fitted"]:
            setattr(made, key, arrays.get(f"{name}.{key}", described["fitted"].get(key)))
    return made


def _unpack_parts(described: Mapping[str, Any], name: str, arrays: Arrays) -> Any:
    from offshelf.postprocess import ByPart

    parts, widths = described["parts"], [int(width) for width in described["widths"]]
    made = ByPart([unpack(part, f"{name}.{row}", arrays) for row, part in enumerate(parts)], widths)
    made.transformers_, made.n_features_in_ = list(made.transformers), sum(widths)
    return made


def size(part: Any, seen: set[int] | None = None) -> int:
    """Return the bytes of the arrays in an estimator and in the objects that it holds."""
    seen = set() if seen is None else seen
    if id(part) in seen:
        return 0
    seen.add(id(part))
    if isinstance(part, np.ndarray):
        return part.nbytes
    held = part if isinstance(part, list | tuple) else getattr(part, "__dict__", {}).values()
    return sum(size(one, seen) for one in held)


def _pack_foreign(part: Any, name: str, arrays: Arrays) -> dict[str, Any]:
    from skops.io import dumps

    try:
        data = dumps(part)
    except Exception as error:  # estimators of third parties may raise anything
        raise ModelError(f"{type(part).__name__} cannot be written without pickle: {_first_line(error)}") from error
    _require_trust(data, f"{type(part).__name__} cannot be kept")
    arrays[name] = np.frombuffer(data, np.uint8)
    return {"kind": SKOPS}


def _unpack_foreign(data: bytes) -> Any:
    from skops.io import loads

    _require_trust(data, "The model was not read")
    try:
        return loads(data, trusted=sorted(TRUSTED))
    except Exception as error:  # a broken file, or a release of scikit-learn without the named type
        raise ModelError(f"The model cannot be read: {_first_line(error)} Fit it again: offshelf rerun") from error


def _require_trust(data: bytes, what: str) -> None:
    from skops.io import get_untrusted_types

    try:
        foreign = sorted(set(get_untrusted_types(data=data)) - TRUSTED)
    except Exception as error:
        raise ModelError(f"{what}: {_first_line(error)}") from error
    if foreign:
        raise ModelError(f"{what}: only scikit-learn's and offshelf's own types are read, not {', '.join(foreign)}.")


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300].rstrip(".") + "."
