"""The choice of device and engine, with the reason; nothing is built for it."""

from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from importlib.util import find_spec

from offshelf.errors import ConfigError
from offshelf.process.gpu import has_cuda

ENGINES = ("eager", "compile", "openvino")

WORTH_PREPARING = 256
"""Images from which on an engine that takes seconds to prepare pays, at 30 images per second."""

RECORDS = (2, 6)
"""The oldest PyTorch that is used with OpenVINO: 2.5 exported a vision transformer that took all memory."""

INSTALL = "pip install 'offshelf[fast]' 'torch>=2.6'"


@dataclass(frozen=True)
class Plan:
    """The device, precision and engine of an extraction."""

    device: str
    """`cpu` or `cuda`."""
    precision: str
    engine: str
    """`eager`, `compile` or `openvino`."""
    why: str

    def __str__(self) -> str:
        return f"{self.device}, {self.precision}, engine {self.engine} ({self.why})"


def choose(device: str, engine: str, precision: str, images: int | None) -> Plan:
    """Resolve `auto` on this machine.

    The precision is never chosen: float32 gives the same numbers on every machine, bfloat16 must be requested.

    Raises:
        ConfigError: The requested device or engine is not available.
    """
    on_gpu = device != "cpu" and has_cuda()
    if device == "cuda" and not on_gpu:
        raise ConfigError("extractor.device=cuda, but no CUDA device is available; use extractor.device=auto.")
    where = "cuda" if on_gpu else "cpu"
    if engine == "openvino" and on_gpu:
        raise ConfigError("extractor.engine=openvino runs on the CPU; add extractor.device=cpu, or use another engine.")
    if engine == "openvino" and not has_openvino():
        raise ConfigError(f"extractor.engine=openvino needs OpenVINO and PyTorch 2.6 or later: {INSTALL}")
    if engine != "auto":
        return Plan(where, precision, engine, "as requested")
    if on_gpu:
        return Plan(where, precision, "eager", "a GPU is available")
    if not has_openvino():
        return Plan(where, precision, "eager", f"no GPU; {INSTALL} makes this several times faster")
    if precision == "float32" and images is not None and images < WORTH_PREPARING:
        return Plan(where, precision, "eager", "no GPU; few images")
    return Plan(where, precision, "openvino", "no GPU")


@lru_cache
def has_openvino() -> bool:
    """Return whether OpenVINO is installed with a PyTorch that can export networks for it."""
    release = tuple(int(part) for part in version("torch").split(".")[:2])
    return find_spec("openvino") is not None and release >= RECORDS
