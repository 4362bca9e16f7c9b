"""How large an image is, from its header."""

from pathlib import Path

from offshelf.dataset.decode import DecodeError, upright_size_of


def upright_size(path: Path) -> tuple[int, int] | None:
    """Width and height in pixels, turned by EXIF as when it is read; None where that cannot be told."""
    try:
        return upright_size_of(path.read_bytes())
    except (OSError, DecodeError):  # what cannot be read is named when images are checked
        return None
