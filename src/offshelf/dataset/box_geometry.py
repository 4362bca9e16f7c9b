"""Bounding boxes in pixels: x1, y1, x2, y2 from 0, x2 and y2 exclusive (`image.PixelBox`)."""

from offshelf.dataset.image import PixelBox
from offshelf.errors import ConfigError


def from_size(x: float, y: float, width: float, height: float) -> PixelBox:
    """Return a box given by its upper left corner and its size."""
    return (x, y, x + width, y + height)


def from_matlab(x1: float, y1: float, x2: float, y2: float) -> PixelBox:
    """Return a box given by pixel numbers that start at 1, with the last ones included."""
    return (x1 - 1, y1 - 1, x2, y2)


def with_context(box: PixelBox, factor: float) -> PixelBox:
    """Return the box with both sides scaled by `factor` about its centre; images clip it."""
    x1, y1, x2, y2 = box
    across, down = (x2 - x1) * (factor - 1) / 2, (y2 - y1) * (factor - 1) / 2
    return (x1 - across, y1 - down, x2 + across, y2 + down)


def smallest_square(box: PixelBox) -> PixelBox:
    """Return the smallest square that contains the box and has the same centre; images clip it."""
    x1, y1, x2, y2 = box
    half = max(x2 - x1, y2 - y1) / 2
    across, down = (x1 + x2) / 2, (y1 + y2) / 2
    return (across - half, down - half, across + half, down + half)


def require_context(factor: float) -> None:
    """Raise ConfigError if a box would shrink."""
    if factor < 1:
        raise ConfigError(f"dataset.context must be a factor of at least 1 by which boxes grow; got {factor}.")
