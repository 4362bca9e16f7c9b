"""What is proven of a network before it works: its features follow from the image alone, not from chance or neighbours.

It takes passes of four images. Everything is computed in float32, by PyTorch as it is.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch

from offshelf.errors import BackboneError

TOLERANCE = 1e-4
"""Largest relative distance between features of the same image; other sizes of batch make up to 1e-5."""

GREYS = (96, 160)
"""Values of the faint image: its least, largest and mean differ from almost any other image's."""

LayerTensors = Mapping[str, torch.Tensor]
ForwardPass = Callable[[torch.Tensor], LayerTensors]


def require_function(run: ForwardPass, image: torch.Tensor, name: str) -> tuple[LayerTensors, LayerTensors]:
    """Refuse a network whose features of an image depend on more than the image.

    Args:
        run: A pass: uint8 [B, S, S, 3] to features [B, D] by layer.
        image: One image, uint8 [1, S, S, 3].
        name: The network's, for messages.

    Returns:
        Features of the image, and of a faint one (`faint_like`), each seen alone.

    Raises:
        BackboneError: the features differ from pass to pass, or with the neighbours in the batch.
    """
    faint = faint_like(image)
    with exactly(image.device.type):
        alone, faint_alone = run(image), run(faint)
        batch = torch.cat([image, faint])
        together = run(batch)
        found = _farthest([(alone, together, 0), (faint_alone, together, 1)])
        if found is None:
            return alone, faint_alone
        again = _farthest([(together, run(batch), row) for row in range(2)])
    if again:
        raise _of_chance(name, *again)
    layer, distance = found
    raise BackboneError(
        f"{name} gives an image other features when other images are in its batch (layer {layer}, relative distance "
        f"{distance:.1e}): it computes over the batch, as BatchNorm without running statistics does. Such features "
        "cannot be stored; use track_running_stats=True and trained statistics, or normalise each image (GroupNorm)."
    )


def require_unchanged(run: ForwardPass, image: torch.Tensor, before: LayerTensors, name: str) -> None:
    """Refuse a network that has come to give other features of an image, uint8 [1, S, S, 3], than before."""
    with exactly(image.device.type):
        found = _farthest([(before, run(image), 0)])
    if found is not None:
        raise _of_chance(name, *found)


def _of_chance(name: str, layer: str, distance: float) -> BackboneError:
    return BackboneError(
        f"{name} gives other features of the same image from pass to pass (layer {layer}, relative distance "
        f"{distance:.1e}): it draws random numbers (F.dropout without training=self.training, say) or keeps a "
        "state. Such features cannot be stored; make its forward depend on the image alone when it is not training."
    )


def faint_like(image: torch.Tensor) -> torch.Tensor:
    """Noise of little contrast, of an image's shape, always the same."""
    draw = torch.Generator().manual_seed(0)
    return torch.randint(*GREYS, tuple(image.shape), generator=draw, dtype=torch.uint8).to(image.device)


def relative_distance(found: torch.Tensor, expected: torch.Tensor) -> float:
    """Norm of the difference over the norm of what was expected."""
    return float((found.float() - expected).norm() / expected.norm().clamp_min(1e-30))


@contextmanager
def exactly(device: str) -> Iterator[None]:
    """In float32 proper: neither cast down by Lightning, nor by a GPU's shorter TF32."""
    with torch.autocast(device, enabled=False), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        yield


def _farthest(pairs: list[tuple[LayerTensors, LayerTensors, int]]) -> tuple[str, float] | None:
    """Layer and distance of what differs most among (expected, found, row); None where nothing does.

    `expected` is of one image, or of as many as `found`.
    """
    distances = [
        (layer, _distance(found[layer][row], values[row if len(values) > 1 else 0]))
        for expected, found, row in pairs
        for layer, values in expected.items()
    ]
    differing = [pair for pair in distances if not pair[1] <= TOLERANCE]
    return max(differing, key=lambda pair: pair[1], default=None)


def _distance(found: torch.Tensor, expected: torch.Tensor) -> float:
    """The relative distance; what is not finite in both is left to whoever writes features."""
    if not torch.equal(found.isfinite(), expected.isfinite()):
        return float("inf")
    return relative_distance(*(torch.nan_to_num(values.float(), 0, 0, 0) for values in (found, expected)))
