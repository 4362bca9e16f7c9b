"""Engines: what executes a network. Each takes a batch of pixels and gives the pooled features of the asked layers.

All start from the same module. PyTorch runs it as it is (eager); the others take the graph that torch.export records
from it, with normalisation, taps and pooling inside, and fuse what they can.
"""

import logging
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from offshelf.backbone.preprocessing import Preprocessing
from offshelf.errors import BackboneError
from offshelf.extractor.plan import Plan
from offshelf.extractor.rounding import round_convolutions

if TYPE_CHECKING:
    from offshelf.extractor.extractor import Request

log = logging.getLogger(__name__)

Engine = Callable[[torch.Tensor], dict[str, torch.Tensor]]
"""Pixels, uint8 [B, H, W, 3], to float32 [B, D] by layer."""

TOLERANCE = {"float32": 1e-4, "bfloat16": 0.2}
"""Largest relative distance of an engine's features from eager PyTorch's in float32. In bfloat16 it guards against
wrong results only; the distance itself depends on the network and is reported."""


class EngineError(Exception):
    """An engine cannot run a network."""


class Eager(nn.Module):
    """PyTorch as it is: normalises on the device, and takes all asked layers from one pass."""

    def __init__(self, request: "Request") -> None:
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
        """Features by layer; `whole` runs the network to its end, also where the asked layers come before it."""
        images = (pixels.permute(0, 3, 1, 2).float() / 255 - self.mean) / self.std
        return dict(self.network.features(images, self.layers, self.pooling, whole))


def prepare(eager: Eager, plan: Plan, may_fall_back: bool, pixels: torch.Tensor) -> tuple[Engine, Plan]:
    """The plan's engine, ready for batches like `pixels`; or eager PyTorch, where the engine was nobody's wish.

    Raises:
        BackboneError: the engine cannot run the network.
    """
    try:
        return build_engine(plan, eager, pixels), plan
    except EngineError as error:
        if not may_fall_back or plan.precision != "float32":  # elsewhere the engine is part of what a feature is
            raise BackboneError(
                f"The engine {plan.engine} cannot run {eager.name}: {error}. Use extractor.engine=eager"
            ) from error
        log.warning("The engine %s cannot run %s (%s); eager PyTorch does.", plan.engine, eager.name, error)
        return eager, replace(plan, engine="eager", why=f"{plan.engine} cannot run it")


class Engines:
    """The plan's engine for each size of squares, prepared when the first batch of it comes."""

    def __init__(self, request: "Request", plan: Plan, may_fall_back: bool) -> None:
        self.plan, self.may_fall_back = plan, may_fall_back
        self.eager = Eager(request)
        self._at: dict[int, Engine] = {}

    def __call__(self, pixels: torch.Tensor) -> dict[str, torch.Tensor]:
        """See Engine.

        Raises:
            BackboneError: the engine cannot run the network, or the network cannot see squares of this size.
        """
        side = pixels.shape[1]
        if side not in self._at:
            try:
                self._at[side], self.plan = prepare(self.eager, self.plan, self.may_fall_back, pixels)
                return self._at[side](pixels)
            except (RuntimeError, AssertionError, ValueError) as error:
                if side == self.eager.side:
                    raise
                raise BackboneError(
                    f"{self.eager.name} cannot see squares of {side} pixels ({str(error).strip().splitlines()[0]}); "
                    f"it was trained on {self.eager.side}. Leave their scale out of the augmentation."
                ) from error
        return self._at[side](pixels)


def build_engine(plan: Plan, eager: Eager, pixels: torch.Tensor) -> Engine:
    """The plan's engine for batches like `pixels`, compared with eager PyTorch on the batch's first image.

    Raises:
        EngineError: it cannot run this network, or gives other numbers.
    """
    if plan.engine == "eager":
        return eager
    reference = eager(pixels[:1])  # also lets the network learn its course before it is recorded
    try:
        # Casts to bfloat16 are the compiler's to record and to repeat; OpenVINO makes its own.
        with quiet(), torch.no_grad(), _casts(plan, pixels):
            recorded = torch.export.export(_Recorded(eager), (pixels,), strict=False)
            engine = _ENGINES[plan.engine](recorded, plan, eager.layers)
            found = engine(pixels)
    except Exception as error:  # exporters and compilers raise every kind of error
        raise EngineError(" ".join(f"{type(error).__name__}: {error}".split())[:300]) from error
    for layer, expected in reference.items():
        distance = relative_distance(found[layer][:1], expected)
        if not distance <= TOLERANCE[plan.precision]:
            raise EngineError(f"its features of layer {layer} differ from PyTorch's by {distance:.1e}")
    return engine


def relative_distance(found: torch.Tensor, expected: torch.Tensor) -> float:
    """Norm of the difference over the norm of what was expected."""
    return float((found.float() - expected).norm() / expected.norm().clamp_min(1e-30))


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
