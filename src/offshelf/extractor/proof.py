"""Checks of a network before it is used: its features must follow from the image alone.

They take passes of four images. Everything is computed in float32 by eager PyTorch.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch

from offshelf.errors import BackboneError

TOLERANCE = 1e-4
"""Largest relative distance between features of the same image; other batch sizes cause up to 1e-5."""

GREYS = (96, 160)
"""Range of the low-contrast image: its least, largest and mean value differ from those of almost any other image."""

LayerTensors = Mapping[str, torch.Tensor]
ForwardPass = Callable[[torch.Tensor], LayerTensors]


def require_function(run: ForwardPass, image: torch.Tensor, name: str) -> tuple[LayerTensors, LayerTensors]:
    """Reject a network whose features of an image depend on more than the image.

    Args:
        run: Forward pass from uint8 [B, S, S, 3] to features [B, D] by layer.
        image: One image, uint8 [1, S, S, 3].
        name: Name of the network, for messages.

    Returns:
        Features of the image and of a low-contrast one (`faint_like`), each computed alone.

    Raises:
        BackboneError: The features differ from pass to pass, or depend on the other images of the batch.
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
        f"{name} gives different features of an image when other images are in its batch (layer {layer}, relative "
        f"distance {distance:.1e}): it computes over the batch, as BatchNorm without running statistics does. Such "
        "features cannot be stored; use track_running_stats=True and trained statistics, or "
        "normalise each image (GroupNorm)."
    )


def require_unchanged(run: ForwardPass, image: torch.Tensor, before: LayerTensors, name: str) -> None:
    """Reject a network whose features of an image, uint8 [1, S, S, 3], have changed since `before`."""
    with exactly(image.device.type):
        found = _farthest([(before, run(image), 0)])
    if found is not None:
        raise _of_chance(name, *found)


def _of_chance(name: str, layer: str, distance: float) -> BackboneError:
    return BackboneError(
        f"{name} gives different features of the same image from pass to pass (layer {layer}, relative distance "
        f"{distance:.1e}): it draws random numbers (F.dropout without training=self.training, say) or keeps a "
        "state. Such features cannot be stored; make its forward depend on the image alone when it is not training."
    )


def faint_like(image: torch.Tensor) -> torch.Tensor:
    """Return low-contrast noise in the shape of an image, always the same."""
    draw = torch.Generator().manual_seed(0)
    return torch.randint(*GREYS, tuple(image.shape), generator=draw, dtype=torch.uint8).to(image.device)


def relative_distance(found: torch.Tensor, expected: torch.Tensor) -> float:
    """Return the norm of the difference over the norm of the expected values."""
    return float((found.float() - expected).norm() / expected.norm().clamp_min(1e-30))


@contextmanager
def exactly(device: str) -> Iterator[None]:
    """Compute in full float32: without Lightning's casts and without TF32 on a GPU."""
    with torch.autocast(device, enabled=False), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        yield


def _farthest(pairs: list[tuple[LayerTensors, LayerTensors, int]]) -> tuple[str, float] | None:
    """Return layer and distance of the largest difference among (expected, found, row); None if there is none.

    `expected` holds one image, or as many as `found`.
    """
    distances = [
        (layer, _distance(found[layer][row], values[row if len(values) > 1 else 0]))
        for expected, found, row in pairs
        for layer, values in expected.items()
    ]
    differing = [pair for pair in distances if not pair[1] <= TOLERANCE]
    return max(differing, key=lambda pair: pair[1], default=None)


def _distance(found: torch.Tensor, expected: torch.Tensor) -> float:
    """Return the relative distance. Values that are not finite in both are left to the writer of features."""
    if not torch.equal(found.isfinite(), expected.isfinite()):
        return float("inf")
    return relative_distance(*(torch.nan_to_num(values.float(), 0, 0, 0) for values in (found, expected)))
