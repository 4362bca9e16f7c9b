"""A run's model: everything that follows the features of its layer, in one file of data.

The file is a safetensors file. Its header's entry `offshelf` is JSON: format, layers, classes, and the estimators as
`part.pack` describes them; its tensors are their arrays.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np

from offshelf.classifier import Calibration, Scorer
from offshelf.errors import ModelError
from offshelf.identity import digest
from offshelf.layer_fusion import fused_name
from offshelf.metric import LabelKind
from offshelf.model.serialise import Arrays, pack, size, unpack
from offshelf.postprocess import Transformer, transform
from offshelf.store import FeatureKey
from offshelf.svm.fusion import FUSIONS

FORMAT = 1
FILE = "model.safetensors"
CALIBRATION = ("slopes", "offsets")
_ENTRY = "offshelf"


@dataclass(frozen=True, eq=False)
class Model:
    """A function from the features of one layer, or of several, concatenated, to scores of classes, or a number."""

    layers: tuple[str, ...]
    features: str
    """Identity of the features that it was fitted to: the digest of their keys, see `identify`."""
    classes: tuple[str, ...]
    """Names of the classes or labels; or one name, what the number is."""
    kind: LabelKind
    transformer: Transformer
    """Transformer, fitted to the training features."""
    scorer: Scorer
    calibration: Calibration | None = None
    """Map from scores to probabilities, if the run has learnt one."""
    value_range: tuple[float, float] | None = None
    """Black and white of images of more than 8 bits; None if it was not fitted to such images."""

    @property
    def is_multilabel(self) -> bool:
        """Whether an image can have several labels, or none."""
        return self.kind == "labels"

    @property
    def layer(self) -> str:
        """Name of the layer, or of the fused layers."""
        return fused_name(self.layers)

    def score(self, values_NVD: np.ndarray) -> np.ndarray:
        """Return scores of classes, float64 [N, K], for features float32 [N, V, D].

        The class with the largest score is predicted; for several labels all with a score above 0. A number is the
        score itself, [N, 1].
        """
        return self.scorer(transform(self.transformer, values_NVD))

    def probabilities(self, scores_NK: np.ndarray) -> np.ndarray:
        """Return probabilities of classes, float64 [N, K], from their scores; rows sum to 1, except for several labels.

        Raises:
            ModelError: The run has not learnt them.
        """
        if not self.calibration:
            if self.kind == "number":
                raise ModelError("The run predicts numbers, which have no probabilities.")
            raise ModelError(
                "The run has not learnt probabilities. Run it again with classifier.calibrate=true, or predict without "
                "probabilities=true"
            )
        return self.calibration(scores_NK)

    @property
    def size(self) -> int:
        """Bytes of its arrays."""
        return size(self.transformer) + size(self.scorer.estimator)

    def to_bytes(self) -> bytes:
        """Return the content of the file.

        Raises:
            ModelError: A part of the model cannot be written as data.
        """
        from safetensors.numpy import save

        arrays: Arrays = {}
        described = {
            "format": FORMAT,
            "layers": list(self.layers),
            "features": self.features,
            "classes": list(self.classes),
            "kind": self.kind,
            "fusion": self.scorer.fusion,
            "averages_features": self.scorer.averages_features,
            "transformer": pack(self.transformer, "transformer", arrays),
            "estimator": pack(self.scorer.estimator, "estimator", arrays),
            "is_calibrated": self.calibration is not None,
            "value_range": self.value_range,
        }
        if self.calibration:
            arrays |= {f"calibration.{name}": getattr(self.calibration, f"{name}_K") for name in CALIBRATION}
        contiguous = {name: np.ascontiguousarray(values) for name, values in arrays.items()}
        return save(contiguous, {_ENTRY: json.dumps(described)})

    @staticmethod
    def read(path: Path) -> "Model":
        """Read a model from a file.

        Raises:
            ModelError: It is not such a file, or one of another format.
        """
        described, arrays = _contents(path)
        if described.get("format") != FORMAT:
            raise ModelError(f"{path} is a model of another release of offshelf; fit it again: offshelf rerun")
        try:
            estimator = unpack(described["estimator"], "estimator", arrays)
            made = Model(
                _layers(described),
                described["features"],
                tuple(described["classes"]),
                _kind(described),
                unpack(described["transformer"], "transformer", arrays),
                Scorer(estimator, described["fusion"], described["averages_features"]),
                _calibration(described, arrays),
                _value_range(described),
            )
            _require_sound(described)
        except (KeyError, TypeError, AttributeError, ValueError, IndexError, RecursionError) as error:
            if isinstance(error, ModelError):
                raise
            raise ModelError(f"{path} is not a model of offshelf: {error!r}.") from error
        return made


def identify(keys: Iterable[FeatureKey]) -> str:
    """Return the identity of features, which includes network, precision, module, pooling and views."""
    return digest([key.digest for key in keys])


def _require_sound(described: dict[str, Any]) -> None:
    """Raise ValueError for content that `to_bytes` does not write, since a file is untrusted."""
    classes, limits = described["classes"], described.get("value_range")
    is_right = {
        "classes": isinstance(classes, list) and all(isinstance(name, str) for name in classes),
        "kind": _kind(described) in get_args(LabelKind),
        "fusion": described["fusion"] in FUSIONS,
        "averages_features": isinstance(described["averages_features"], bool),
        "value_range": limits is None or float(limits[0]) < float(limits[1]),
    }
    wrong = [name for name, is_so in is_right.items() if not is_so]
    if wrong:
        raise ValueError(f"invalid {', '.join(wrong)}")


def _layers(described: dict[str, Any]) -> tuple[str, ...]:
    layers = described["layers"] if "layers" in described else [described["layer"]]  # models of earlier releases
    if not isinstance(layers, list) or not all(isinstance(name, str) for name in layers) or not layers:
        raise ValueError("invalid layers")
    return tuple(layers)


def _calibration(described: dict[str, Any], arrays: Arrays) -> Calibration | None:
    if not described.get("is_calibrated"):  # missing in models of earlier releases
        return None
    slopes, offsets = (arrays[f"calibration.{name}"] for name in CALIBRATION)
    return Calibration(slopes, offsets, _kind(described) == "labels")


def _kind(described: dict[str, Any]) -> LabelKind:
    # Earlier releases know no numbers.
    kind: LabelKind = described.get("kind") or ("labels" if described["is_multilabel"] else "class")
    return kind


def _value_range(described: dict[str, Any]) -> tuple[float, float] | None:
    black, white = described.get("value_range") or (None, None)  # missing in models of earlier releases
    return None if black is None or white is None else (float(black), float(white))


def _contents(path: Path) -> tuple[dict[str, Any], Arrays]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "numpy") as file:
            described = json.loads((file.metadata() or {}).get(_ENTRY, "null"))
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    except (SafetensorError, OSError, ValueError, IndexError, RecursionError) as error:
        raise ModelError(f"{path} cannot be read as a model: {str(error).splitlines()[0]}.") from error
    if not isinstance(described, dict):
        raise ModelError(f"{path} is not a model of offshelf.")
    return described, arrays
