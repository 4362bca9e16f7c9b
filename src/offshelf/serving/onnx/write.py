"""The writing of ONNX files: recorded, described, compared with PyTorch in ONNX Runtime, and only then put in place."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from offshelf import __version__
from offshelf.augmentation import View, look
from offshelf.errors import BackboneError, ConfigError, ModelError
from offshelf.extractor.engine import quiet
from offshelf.serving.onnx import scorer
from offshelf.serving.onnx.description import ENTRY, describe
from offshelf.serving.onnx.pipeline import Pipeline, upright
from offshelf.serving.predictor import Predictor

if TYPE_CHECKING:
    from onnx import ModelProto

OPSET = 18
"""Version that torch's exporter writes without conversion."""
LARGEST = 2_000_000_000
"""Largest size of weights in one file, in bytes, beyond which there is a second one: ONNX's limit is 2 GiB."""
TOLERANCE = 1e-3
"""Largest relative distance of scores. They are differences of large numbers, which amplify the 1e-4 to which engines
agree in their features."""


@dataclass(frozen=True)
class Written:
    """The written files, and their distance from PyTorch."""

    files: tuple[Path, ...]
    """The ONNX file and, beyond 2 GB, that of its weights."""
    distance: float
    """Relative distance of the scores of a few images from the run's own."""

    @property
    def size(self) -> int:
        """Size of all files in bytes."""
        return sum(file.stat().st_size for file in self.files)


def write_onnx(predictor: Predictor, path: Path, run: str = "") -> Written:
    """Write a run's pipeline, including the network, in float32 whatever the precision of the run's features.

    Args:
        predictor: Predictor of the run.
        path: File to create.
        run: Name of the run, kept in the file.

    Raises:
        ConfigError: A package of the extra `onnx` is missing, or the file exists or cannot be written.
        ModelError: A part of the pipeline has no counterpart in ONNX, or the file cannot be run or gives other scores.
        BackboneError: Torch cannot record the network.
    """
    _require_packages()
    _require_place(path)
    pipeline = Pipeline(predictor).eval()
    images = _images()
    pixels = _inputs(predictor, images)
    model = _recorded(pipeline, pixels, predictor.request.backbone.name)
    model.metadata_props.add(key=ENTRY, value=json.dumps(describe(predictor, run), ensure_ascii=False))
    try:
        with TemporaryDirectory(dir=path.parent, prefix=".onnx-") as folder:
            made = _saved(model, Path(folder) / path.name)
            found = _answers(made[0], pixels.numpy())
            distance = _distance(found["scores"], _reference(predictor, pipeline, images), predictor)
            for file in reversed(made):  # the weights first: the main file's name then stands for a complete model
                file.replace(path.parent / file.name)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}.") from error
    return Written(tuple(path.parent / file.name for file in made), distance)


def _require_packages() -> None:
    for name in ("onnx", "onnxscript", "onnxruntime"):
        try:
            import_module(name)
        except ImportError as error:
            raise ConfigError(f"A file .onnx needs {name}: pip install 'offshelf[onnx]'") from error


def _require_place(path: Path) -> None:
    """Check the target before minutes of work."""
    if not path.parent.is_dir():
        raise ConfigError(f"{path} cannot be written: there is no folder {path.parent}.")
    for file in (path, _weights_of(path)):
        if file.exists():
            raise ConfigError(f"{file} already exists; remove it, or give another name.")


def _weights_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.data")


def _images() -> list[np.ndarray]:
    """Return noise of three grains, uint8 [256, 256, 3], to which all parts of a network respond."""
    random = np.random.default_rng(0)
    grains = [random.integers(0, 256, (256 // side, 256 // side, 3), dtype=np.uint8) for side in (64, 16, 4)]
    return [grain.repeat(256 // len(grain), 0).repeat(256 // len(grain), 1) for grain in grains]


def _seen(predictor: Predictor, images: Sequence[np.ndarray], views: Sequence[View]) -> torch.Tensor:
    """Return the views of images, uint8 [N, V, S, S, 3]."""
    preprocessing = predictor.request.backbone.preprocessing()
    return torch.from_numpy(np.stack([np.stack(look(image, views, preprocessing)) for image in images]))


def _inputs(predictor: Predictor, images: Sequence[np.ndarray]) -> torch.Tensor:
    """Return the inputs of a Pipeline."""
    pixels = _seen(predictor, images, upright(predictor.request.views)).movedim(-1, 2).contiguous()
    return pixels if pixels.shape[1] > 1 else pixels[:, 0]


def _recorded(pipeline: Pipeline, pixels: torch.Tensor, name: str) -> "ModelProto":
    """Record the pipeline as a graph, for any number of images."""
    outputs = ["scores", pipeline.kind]
    outputs += ["probabilities"] if pipeline.calibration else []
    try:
        with quiet(), torch.no_grad():
            pipeline(pixels)  # lets the network record its execution order before it is exported
            shapes = {"pixels": {0: torch.export.Dim("images")}}
            program = torch.export.export(pipeline, (pixels,), dynamic_shapes=shapes, strict=False)
            exported: Any = torch.onnx.export(
                program, dynamo=True, opset_version=OPSET, input_names=["pixels"], output_names=outputs, verbose=False
            )
    except Exception as error:  # exporters raise all kinds of errors
        why = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise BackboneError(
            f"{name} cannot be exported to ONNX ({why}). Use: offshelf export RUN DIR, or a newer PyTorch than "
            f"{torch.__version__}"
        ) from error
    return _tidied(exported.model_proto)


def _tidied(model: "ModelProto") -> "ModelProto":
    """Remove torch's notes for its developers: lines of source code, with the paths of their files."""
    model.producer_name, model.producer_version = "offshelf", __version__
    graph = model.graph
    graph.name = "pipeline"
    graph.ClearField("value_info")
    for part in (graph, *graph.node, *graph.initializer, *graph.input, *graph.output):
        part.ClearField("metadata_props")
    for value in (*graph.input, *graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "images"
    return model


def _saved(model: "ModelProto", path: Path) -> tuple[Path, ...]:
    import onnx

    if sum(len(tensor.raw_data) for tensor in model.graph.initializer) <= LARGEST:
        onnx.save(model, path)
        return (path,)
    weights = _weights_of(path)
    onnx.save(model, path, save_as_external_data=True, location=weights.name)
    return path, weights


def _answers(path: Path, pixels: np.ndarray) -> dict[str, np.ndarray]:
    """Run the file in ONNX Runtime, each image alone; return the outputs by name.

    Raises:
        ModelError: ONNX Runtime cannot run it.
    """
    import onnxruntime

    onnxruntime.disable_telemetry_events()  # it sends usage statistics on Windows; offshelf sends none
    try:
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        names = [output.name for output in session.get_outputs()]
        answers = [session.run(names, {"pixels": pixels[row : row + 1]}) for row in range(len(pixels))]
    except Exception as error:  # its errors have no common base class
        why = " ".join(str(error).split())[:300]
        raise ModelError(
            f"The ONNX file was not kept: ONNX Runtime cannot run it ({why}). Use: offshelf export RUN DIR"
        ) from error
    return {name: np.concatenate(values) for name, values in zip(names, zip(*answers, strict=True), strict=True)}


def _reference(predictor: Predictor, pipeline: Pipeline, images: Sequence[np.ndarray]) -> np.ndarray:
    """Return scores of images, [N, K], by PyTorch and the run's own classifier, as `offshelf predict` does."""
    seen = _seen(predictor, images, predictor.request.views)
    with torch.no_grad():
        features = pipeline.features(seen.flatten(0, 1))
    return predictor.model.score(features.unflatten(0, seen.shape[:2]).numpy())


def _distance(found: np.ndarray, expected: np.ndarray, predictor: Predictor) -> float:
    """Return the norm of the difference over the norm of the expected scores.

    Raises:
        ModelError: It is more than rounding explains.
    """
    distance = float(np.linalg.norm(found - expected)) / max(float(np.linalg.norm(expected)), 1e-30)
    moved = float(np.abs(found - expected).sum()) / 2  # a vote moves from one class to another
    vote = scorer.vote(predictor.model.scorer.estimator)
    is_rounding = 0 < moved <= 2.5 * vote
    if not (distance <= TOLERANCE or is_rounding):
        raise ModelError(
            f"The ONNX file was not kept: its scores differ from the run's by {distance:.1e}, more than rounding "
            f"explains ({TOLERANCE:g}). Use: offshelf export RUN DIR"
        )
    return distance
