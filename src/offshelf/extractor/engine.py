"""Engines: what executes a network. Each takes a batch of pixels and gives the pooled features of the asked layers.

All start from the same module. PyTorch runs it as it is (eager); the others take the graph that torch.export records
from it, with normalisation, taps and pooling inside, and fuse what they can.
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
"""Pixels, uint8 [B, H, W, 3], to float32 [B, D] by layer."""

References = tuple[LayerTensors, LayerTensors]
"""Eager features of a batch's first image and of a faint one, each seen alone."""

TOLERANCE = {"float32": 1e-4, "bfloat16": 0.2}
"""Largest relative distance of an engine's features from eager PyTorch's in float32. In bfloat16 an engine is proven in
float32 first: this guards against gross results only, as the distance itself depends on the network."""


class EngineError(Exception):
    """An engine cannot run a network."""


class Eager(nn.Module):
    """PyTorch as it is: normalises on the device, and takes all asked layers from one pass."""

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
        """LayerTensors by layer; `whole` runs the network to its end, also where the asked layers come before it."""
        images = (pixels.permute(0, 3, 1, 2).float() / 255 - self.mean) / self.std
        return dict(self.network.features(images, self.layers, self.pooling, whole))


def prepare(
    eager: Eager, plan: Plan, may_fall_back: bool, pixels: torch.Tensor, references: References | None = None
) -> tuple[Engine, Plan]:
    """The plan's engine, ready for batches like `pixels`; or eager PyTorch, where the engine was nobody's wish.

    Raises:
        BackboneError: the engine cannot run the network.
    """
    try:
        return build_engine(plan, eager, pixels, references), plan
    except EngineError as error:
        if not may_fall_back or plan.precision != "float32":  # elsewhere the engine is part of what a feature is
            raise BackboneError(
                f"The engine {plan.engine} cannot run {eager.name}: {error}. Use extractor.engine=eager"
            ) from error
        log.warning("The engine %s cannot run %s (%s); eager PyTorch does.", plan.engine, eager.name, error)
        return eager, replace(plan, engine="eager", why=f"{plan.engine} cannot run it")


class Engines:
    """The plan's engine for each size of squares, prepared when the first batch of it comes."""

    def __init__(self, request: Request, plan: Plan, may_fall_back: bool) -> None:
        self.plan, self.may_fall_back = plan, may_fall_back
        self.eager = Eager(request)
        self._at: dict[int, Engine] = {}
        self._first: dict[int, tuple[torch.Tensor, LayerTensors]] = {}
        """By size the first image that was seen, and its features."""

    def __call__(self, pixels: torch.Tensor) -> dict[str, torch.Tensor]:
        """See Engine.

        Raises:
            BackboneError: the network fails on squares of this size, its features depend on more than the image, or the
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
        """Raise BackboneError where a state of the network has changed its features since; graphs have none."""
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
    """The plan's engine for batches like `pixels`, compared with eager PyTorch at this size.

    It is compared on the batch's first image and on a faint one (`proof.faint_like`), which leaves no part of the
    network without a signal; in float32, and where the plan's precision is less, in that too.

    Raises:
        EngineError: it cannot run this network, or gives other numbers.
    """
    if plan.engine == "eager":
        return eager
    # A pass also lets the network learn its course before it is recorded.
    image, faint = references or (eager(pixels[:1]), eager(faint_like(pixels[:1])))
    exact = replace(plan, precision="float32")
    engine = _proven(exact, eager, pixels, image, faint)
    return engine if plan == exact else _proven(plan, eager, pixels, image, faint)


def _proven(plan: Plan, eager: Eager, pixels: torch.Tensor, image: LayerTensors, faint: LayerTensors) -> Engine:
    """The plan's engine, compared with features of the first of the pixels, and of a faint image."""
    mixed = pixels.clone()
    mixed[-1:] = faint_like(pixels[:1])
    try:
        # Casts to bfloat16 are the compiler's to record and to repeat; OpenVINO makes its own.
        with quiet(), torch.no_grad(), _casts(plan, pixels):
            recorded = torch.export.export(_Recorded(eager), (pixels,), strict=False)
            engine = _ENGINES[plan.engine](recorded, plan, eager.layers)
            found = {layer: values.clone() for layer, values in engine(mixed).items()}
            first = found if len(pixels) > 1 else engine(pixels)
    except Exception as error:  # exporters and compilers raise every kind of error
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
    """Tensor in, tuple of tensors out: what torch.export records."""

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
    # OpenVINO reports its use to its makers where this package can be imported; offshelf phones nobody.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

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
def quiet() -> Iterator[None]:
    """Without the advice that recorders give each other; what fails raises."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
