"""How large an image is, from its header."""

from functools import lru_cache
from pathlib import Path

ORIENTATION = 0x0112
"""EXIF's tag."""
FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "GIF", "BMP", "DIB", "TIFF", "PPM", "JPEG2000", "AVIF")


def upright_size(path: Path) -> tuple[int, int] | None:
    """Width and height in pixels, turned by EXIF as when it is read; None where that cannot be told."""
    from PIL import Image as Pillow

    try:
        with Pillow.open(path, formats=_formats()) as image:
            width, height = image.size
            turned = image.getexif().get(ORIENTATION, 1) in (5, 6, 7, 8)
    except Exception:  # decoders raise many kinds; what cannot be read is named when images are checked
        return None
    return (height, width) if turned else (width, height)


@lru_cache
def _formats() -> tuple[str, ...]:
    """Those that this Pillow has."""
    from PIL import Image as Pillow

    Pillow.init()
    return tuple(name for name in FORMATS if name in Pillow.OPEN)
