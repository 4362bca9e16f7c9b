"""Boxes around what is to be seen, in pixels: x1, y1, x2, y2 from 0, x2 and y2 exclusive (`image.PixelBox`)."""

from offshelf.dataset.image import PixelBox
from offshelf.errors import ConfigError


def from_size(x: float, y: float, width: float, height: float) -> PixelBox:
    """A box given by its upper left corner and its size."""
    return (x, y, x + width, y + height)


def from_matlab(x1: float, y1: float, x2: float, y2: float) -> PixelBox:
    """A box that counts pixels from 1 and includes the last ones."""
    return (x1 - 1, y1 - 1, x2, y2)


def with_context(box: PixelBox, factor: float) -> PixelBox:
    """The box with both sides grown by `factor` about its centre; images cut off what lies outside of them."""
    x1, y1, x2, y2 = box
    across, down = (x2 - x1) * (factor - 1) / 2, (y2 - y1) * (factor - 1) / 2
    return (x1 - across, y1 - down, x2 + across, y2 + down)


def smallest_square(box: PixelBox) -> PixelBox:
    """The smallest square that contains the box, about its centre; images cut off what lies outside of them."""
    x1, y1, x2, y2 = box
    half = max(x2 - x1, y2 - y1) / 2
    across, down = (x1 + x2) / 2, (y1 + y2) / 2
    return (across - half, down - half, across + half, down + half)


def require_context(factor: float) -> None:
    """Raise ConfigError where a box would shrink."""
    if factor < 1:
        raise ConfigError(f"dataset.context is the factor that boxes grow by, at least 1; got {factor}.")
