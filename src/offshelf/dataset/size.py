"""The size of an image, from its header."""

from offshelf.dataset.decode import DecodeError, upright_size_of
from offshelf.dataset.location import Location
from offshelf.dataset.raster import MAX_PIXELS
from offshelf.dataset.remote.seen import seen_before
from offshelf.errors import ImageError


def upright_size(location: Location) -> tuple[int, int] | None:
    """Return width and height in pixels, after rotation by EXIF; None if unknown."""
    look = seen_before(location, MAX_PIXELS)
    try:
        return look.size if look else upright_size_of(location.read_bytes())
    except (OSError, DecodeError, ImageError):  # unreadable files are reported when images are checked
        return None
