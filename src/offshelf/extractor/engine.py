"""Engines that execute a network: each maps a batch of pixels to the pooled features of the requested layers.

All start from the same module. PyTorch runs it unchanged (eager). The other engines take the graph that torch.export
records from it, with normalisation, hooks and pooling inside, and fuse what they can.
"""

import logging
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from offshelf.backbone.preprocessing import Preprocessing
from offshelf.backbone.running import in_one_sentence
from offshelf.errors import BackboneError
from offshelf.extractor.plan import Plan
from offshelf.extractor.proof import LayerTensors, faint_like, relative_distance, require_function, require_unchanged
from offshelf.extractor.request import Request
from offshelf.extractor.rounding import round_convolutions

log = logging.getLogger(__name__)

Engine = Callable[[torch.Tensor], dict[str, torch.Tensor]]
"""Function from pixels, uint8 [B, H, W, 3], to float32 [B, D] by layer."""

References = tuple[LayerTensors, LayerTensors]
"""Eager features of a batch's first image and of a low-contrast one, each computed alone."""

TOLERANCE = {"float32": 1e-4, "bfloat16": 0.2}
"""Largest relative distance of an engine's features from those of eager PyTorch in float32. In bfloat16 an engine is
compared in float32 first; this tolerance detects only gross errors, because the distance depends on the network."""


class EngineError(Exception):
    """An engine cannot run a network."""


class Eager(nn.Module):
    """PyTorch without an exported graph: normalises on the device, and takes all requested layers from one pass."""

    def __init__(self, request: Request) -> None:
        super().__init__()
        self.name = request.backbone.name
        self.network = request.backbone.load()
        self.layers, self.pooling = request.layers, request.pooling
        preprocessing: Preprocessing = request.backbone.preprocessing()
        self.side = preprocessing.size[0]
        self.mean: torch.Tensor
        self.std: torch.Tensor
        self.register_buffer("mean", torch.tensor(preprocessing.mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(preprocessing.std).view(1, 3, 1, 1), persistent=False)
        if isinstance(self.network, nn.Module):
            self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, pixels: torch.Tensor, whole: bool = False) -> dict[str, torch.Tensor]:
        """Return features by layer; `whole` runs the network to its end even if no later layer is requested."""
        images = (pixels.permute(0, 3, 1, 2).float() / 255 - self.mean) / self.std
        return dict(self.network.features(images, self.layers, self.pooling, whole))


def prepare(
    eager: Eager, plan: Plan, may_fall_back: bool, pixels: torch.Tensor, references: References | None = None
) -> tuple[Engine, Plan]:
    """Return the plan's engine for batches like `pixels`, or eager PyTorch if the engine was chosen automatically.

    Raises:
        BackboneError: The engine cannot run the network.
    """
    try:
        return build_engine(plan, eager, pixels, references), plan
    except EngineError as error:
        if not may_fall_back or plan.precision != "float32":  # in bfloat16 the engine belongs to a feature's identity
            raise BackboneError(
                f"The engine {plan.engine} cannot run {eager.name}: {error}. Use extractor.engine=eager"
            ) from error
        log.warning("The engine %s cannot run %s (%s); eager PyTorch does.", plan.engine, eager.name, error)
        return eager, replace(plan, engine="eager", why=f"{plan.engine} cannot run it")


class Engines:
    """The plan's engine for each image size, prepared when the first batch of that size arrives."""

    def __init__(self, request: Request, plan: Plan, may_fall_back: bool) -> None:
        self.plan, self.may_fall_back = plan, may_fall_back
        self.eager = Eager(request)
        self._at: dict[int, Engine] = {}
        self._first: dict[int, tuple[torch.Tensor, LayerTensors]] = {}
        """The first image of each size, and its features."""

    def __call__(self, pixels: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return the features by layer, float32 [B, D], of pixels, uint8 [B, S, S, 3].

        Raises:
            BackboneError: The network fails on images of this size, its features depend on more than the image, or the
                engine cannot run it.
        """
        side = pixels.shape[1]
        with self._in_one_sentence(pixels):
            if side not in self._at:
                references = require_function(self.eager, pixels[:1], self.eager.name)
                self._first[side] = pixels[:1].clone(), references[0]
                self._at[side], self.plan = prepare(self.eager, self.plan, self.may_fall_back, pixels, references)
            return self._at[side](pixels)

    def require_unchanged(self) -> None:
        """Raise BackboneError if a state of the network has changed its features. Graphs have no state."""
        for side, (image, features) in self._first.items():
            if self._at[side] is self.eager:
                require_unchanged(self.eager, image, features, self.eager.name)

    def _in_one_sentence(self, pixels: torch.Tensor) -> AbstractContextManager[None]:
        count, side, trained = len(pixels), pixels.shape[1], self.eager.side
        if side != trained:
            way_out = f"It was trained on {trained}: leave their scale out of the augmentation."
            return in_one_sentence(f"{self.eager.name} cannot see squares of {side} pixels", way_out)
        way_out = (
            f"It gets float32 [{count}, 3, {side}, {side}]; other sizes: backbone.sees.crop for a network of your own; "
            "little memory: extractor.batch_size=1"
        )
        return in_one_sentence(f"{self.eager.name} failed on a batch of {count} squares of {side} pixels", way_out)


def build_engine(plan: Plan, eager: Eager, pixels: torch.Tensor, references: References | None = None) -> Engine:
    """Return the plan's engine for batches like `pixels`, compared with eager PyTorch at this size.

    The comparison takes the batch's first image and a low-contrast one (`proof.faint_like`), which leaves no part of
    the network without a signal. It is made in float32 and, if the plan's precision is lower, in that too.

    Raises:
        EngineError: The engine cannot run this network, or its features differ.
    """
    if plan.engine == "eager":
        return eager
    # A pass also lets the network record its execution order before it is exported.
    image, faint = references or (eager(pixels[:1]), eager(faint_like(pixels[:1])))
    exact = replace(plan, precision="float32")
    engine = _proven(exact, eager, pixels, image, faint)
    return engine if plan == exact else _proven(plan, eager, pixels, image, faint)


def _proven(plan: Plan, eager: Eager, pixels: torch.Tensor, image: LayerTensors, faint: LayerTensors) -> Engine:
    """Return the plan's engine, compared on the first of the pixels and on a low-contrast image."""
    mixed = pixels.clone()
    mixed[-1:] = faint_like(pixels[:1])
    try:
        # The compiler records and repeats casts to bfloat16; OpenVINO makes its own.
        with quiet(), torch.no_grad(), _casts(plan, pixels):
            recorded = torch.export.export(_Recorded(eager), (pixels,), strict=False)
            engine = _ENGINES[plan.engine](recorded, plan, eager.layers)
            found = {layer: values.clone() for layer, values in engine(mixed).items()}
            first = found if len(pixels) > 1 else engine(pixels)
    except Exception as error:  # exporters and compilers raise all kinds of errors
        raise EngineError(" ".join(f"{type(error).__name__}: {error}".split())[:300]) from error
    pairs = [(layer, first[layer][:1], image[layer]) for layer in image]
    pairs += [(layer, found[layer][-1:], faint[layer]) for layer in faint]
    for layer, values, expected in pairs:
        distance = relative_distance(values, expected)
        if not distance <= TOLERANCE[plan.precision]:
            raise EngineError(
                f"its features of layer {layer} differ from PyTorch's by {distance:.1e} in {plan.precision}"
            )
    return engine


class _Recorded(nn.Module):
    """A module from a tensor to a tuple of tensors, as torch.export requires."""

    def __init__(self, eager: Eager) -> None:
        super().__init__()
        self.eager = eager

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        features = self.eager(pixels, True)
        return tuple(features[layer] for layer in self.eager.layers)


def _casts(plan: Plan, pixels: torch.Tensor) -> torch.autocast:
    is_on = plan.precision == "bfloat16" and plan.engine == "compile"
    return torch.autocast(pixels.device.type, torch.bfloat16, enabled=is_on)


def _compile(recorded: "torch.export.ExportedProgram", plan: Plan, layers: tuple[str, ...]) -> Engine:
    import torch._inductor.config

    compiled = torch.compile(recorded.module())

    def run(pixels: torch.Tensor) -> dict[str, torch.Tensor]:
        freezing = torch._inductor.config.patch(freezing=True)
        with torch.inference_mode(False), torch.no_grad(), freezing, _casts(plan, pixels):
            return dict(zip(layers, compiled(pixels.clone()), strict=True))

    return run


def _openvino(recorded: "torch.export.ExportedProgram", plan: Plan, layers: tuple[str, ...]) -> Engine:
    # OpenVINO sends usage statistics if this package can be imported; offshelf sends none.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    with _root_logger_kept():
        model = openvino.convert_model(recorded)
    if plan.precision == "bfloat16":
        round_convolutions(model)
    compiled = openvino.Core().compile_model(
        model,
        "CPU",
        {
            "INFERENCE_PRECISION_HINT": "bf16" if plan.precision == "bfloat16" else "f32",
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            "PERFORMANCE_HINT": "LATENCY",
        },
    )
    request = compiled.create_infer_request()

    def run(pixels: torch.Tensor) -> dict[str, torch.Tensor]:
        outputs = request.infer([pixels.numpy()], share_inputs=True).to_tuple()
        return {layer: torch.from_numpy(values) for layer, values in zip(layers, outputs, strict=True)}

    return run


_ENGINES: dict[str, Callable[[Any, Plan, tuple[str, ...]], Engine]] = {"compile": _compile, "openvino": _openvino}


@contextmanager
def _root_logger_kept() -> Iterator[None]:
    """Undo what OpenVINO 2026.4 does to the root logger: after a failed conversion it lets errors alone through."""
    root = logging.getLogger()
    level, filters, handlers = root.level, root.filters[:], root.handlers[:]
    try:
        yield
    finally:
        root.setLevel(level)
        root.filters, root.handlers = filters, handlers


@contextmanager
def quiet() -> Iterator[None]:
    """Hide the warnings of exporters; failures still raise."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
