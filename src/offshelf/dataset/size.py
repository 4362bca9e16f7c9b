"""The size of an image, from its header."""

from pathlib import Path

from offshelf.dataset.decode import DecodeError, upright_size_of


def upright_size(path: Path) -> tuple[int, int] | None:
    """Return width and height in pixels, after rotation by EXIF; None if unknown."""
    try:
        return upright_size_of(path.read_bytes())
    except (OSError, DecodeError):  # unreadable files are reported when images are checked
        return None
