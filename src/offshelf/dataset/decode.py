"""Decoding of image files by content, not name: the first frame, upright by EXIF, on a background, as 8-bit RGB.

Plain JPEGs are decoded by simplejpeg if it is installed. It uses the same library as Pillow, libjpeg-turbo, with the
same settings and, as the tests check, the same pixels, in two thirds of the time. It also detects damage that libjpeg
fills with grey. Everything else, and whatever simplejpeg rejects, is decoded by Pillow, which thus decides what can be
read. The orientation is the only metadata that counts, if it can be read.
"""

import logging
import threading
import warnings
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from offshelf.dataset.depth import Samples, is_deep, jpeg2000_bits
from offshelf.dataset.intensity_range import Extent, Range, common_range
from offshelf.dataset.metadata import orientation, png_is_whole, upright
from offshelf.dataset.raster import JPEG, JPEG2000, MAX_PIXELS, PNG, PPM, TIFF, Raster, format_of, open_first
from offshelf.dataset.raster import DecodeError as DecodeError

if TYPE_CHECKING:
    from PIL import Image as Pillow

log = logging.getLogger(__name__)

Colour = tuple[int, int, int]

UNLIMITED = 1 << 62
"""Number of pixels that disables Pillow's limit."""

TIFF_WIDTH, TIFF_HEIGHT = 256, 257
"""Tags."""

DAMAGE = ("premature end of data segment", "bad Huffman code", "instead of RST", "bad arithmetic code")
"""libjpeg's warnings when it makes up pixels. Surplus bytes before a marker are harmless."""


def decode(
    data: bytes, background: Colour, values: Range = "auto", max_pixels: int = MAX_PIXELS, least: int = 0
) -> np.ndarray:
    """Decode pixels, uint8 [H, W, 3], RGB, writable.

    Args:
        data: Content of the file.
        background: RGB behind transparent pixels.
        values: Range of values of an image of more than 8 bits; `auto`: of this image alone, see `value_range`.
        max_pixels: Largest accepted number of pixels.
        least: Pixels that each side of a JPEG needs: it is decoded at the smallest of the fractions of its size that
            libjpeg can compute (1/8 to 1) and that has them. 0: at its size.

    Raises:
        DecodeError: The image cannot be read, or has more than 8 bits and no range.
    """

    def work(raster: Raster) -> np.ndarray:
        image = raster.image
        pixels = None
        _require_whole(raster)
        if is_deep(raster):
            image = _narrow(Samples.of(raster), values)
        elif raster.format is JPEG and image.mode in ("RGB", "L"):
            pixels = _plain_jpeg(data, least)
            if least and pixels is None:
                image.draft(image.mode, (least, least))
        if pixels is None:
            image.load()
            _scale_key(raster)
            pixels = np.array(rgb(image, background))
        return upright(pixels, orientation(raster.image))

    with _quiet:
        return open_first(data, work, max_pixels)


def check(data: bytes, max_pixels: int = MAX_PIXELS) -> Extent | None:
    """Raise DecodeError if `decode` would, as far as possible without decoding.

    A JPEG must reach its end marker, and a PNG's checksums must match; otherwise, and in all other formats, the pixels
    are decoded. Two kinds of damage are not detected: in the compressed pixels of a JPEG that has an end, and in a PNG
    whose checksums were computed from damaged pixels.

    Returns:
        The values of an image of more than 8 bits; None for others.
    """
    with _quiet:
        return open_first(data, partial(_checked, data), max_pixels)


def examine(data: bytes, max_pixels: int = MAX_PIXELS) -> tuple[Extent | None, tuple[int, int]]:
    """Check an image as `check` does. Return its result, and width and height, upright. Raises DecodeError."""
    with _quiet:
        return open_first(data, lambda raster: (_checked(data, raster), _upright_size(raster)), max_pixels)


def _checked(data: bytes, raster: Raster) -> Extent | None:
    if raster.format is JPEG and _jpeg_ends(data) and _has_sound_header(data):
        return None
    _require_whole(raster)
    if is_deep(raster):
        return Samples.of(raster).extent
    if raster.format is PNG:
        return None
    raster.image.load()
    rgb(raster.image, (255, 255, 255))
    return None


def _require_whole(raster: Raster) -> None:
    if raster.format is PNG and not png_is_whole(raster.data):
        raise DecodeError("its data are damaged or truncated: a checksum is wrong, or its end is missing")
    if raster.format is JPEG2000 and raster.image.mode != "I;16" and jpeg2000_bits(raster.data) > 8:
        # Pillow rounds up to 256, which is 0 in 8 bits: white becomes black, and opaque transparent.
        raise DecodeError(
            "it is JPEG 2000 of more than 8 bits per colour, which cannot be read faithfully: save it as TIFF"
        )


def _scale_key(raster: Raster) -> None:
    """Reduce the transparent value of a PNG to 8 bits as Pillow reduces pixels: its lowest bits count."""
    key = raster.image.info.get("transparency") if raster.format is PNG else None
    if isinstance(key, tuple):
        raster.image.info["transparency"] = tuple(value & 255 for value in key)
    elif isinstance(key, int) and raster.image.mode == "L":
        white = (1 << raster.data[24]) - 1
        raster.image.info["transparency"] = (key & white) * (255 // white)


def upright_size_of(data: bytes) -> tuple[int, int]:
    """Return width and height of the result of `decode`, from the header. Raises DecodeError."""
    with _quiet:
        return open_first(data, _upright_size, UNLIMITED)


def _upright_size(raster: Raster) -> tuple[int, int]:
    # For a rotated TIFF, Pillow gives the size after rotation.
    tags = raster.image.tag_v2 if raster.format is TIFF else {}
    width, height = raster.image.size if not tags else (tags[TIFF_WIDTH], tags[TIFF_HEIGHT])
    return (height, width) if orientation(raster.image) >= 5 else (width, height)


def holds_depth(data: bytes) -> bool:
    """Return whether an image has more than 8 bits per value, from its header; False if it cannot be read."""
    format = format_of(data)
    if format is PNG:
        return data[24:25] == b"\x10"
    if format not in (TIFF, PPM, JPEG2000):
        return False
    try:
        with _quiet:
            return open_first(data, is_deep, UNLIMITED)
    except DecodeError:
        return False


def _narrow(samples: Samples, values: Range) -> "Pillow.Image":
    if values is None:
        raise DecodeError(
            "it has more than 8 bits per value, and no range of values is set for such images: set black and white by "
            "value_range=[black,white], or save it with 8 bits"
        )
    return samples.eight_bits(common_range({"it": samples.extent}) if values == "auto" else values)


class _Quiet:
    """Hides Pillow's warnings on odd metadata while any thread decodes; unreadable pixels still raise errors.

    Filters belong to the process: if each thread restored them, it would restore those of another thread.
    """

    def __init__(self) -> None:
        self._lock, self._users = threading.Lock(), 0
        self._filters = warnings.catch_warnings()

    def __enter__(self) -> None:
        with self._lock:
            self._users += 1
            if self._users == 1:
                self._filters = warnings.catch_warnings()
                self._filters.__enter__()
                warnings.filterwarnings("ignore", module=r"PIL\.")

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._users -= 1
            if not self._users:
                self._filters.__exit__(None, None, None)


_quiet = _Quiet()


def _jpeg_ends(data: bytes) -> bool:
    """Return whether an end marker follows the pixels; one in an embedded thumbnail does not count."""
    place = 2
    while place + 4 <= len(data) and data[place] == 0xFF:
        if data[place + 1] == 0xDA:  # start of scan
            return data.rfind(b"\xff\xd9") > place
        place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    return False


def _has_sound_header(data: bytes) -> bool:
    """Return whether simplejpeg, if it is installed, can read a JPEG's tables."""
    fast = _simplejpeg()
    try:
        return not fast or bool(fast.decode_jpeg_header(data))
    except ValueError:
        return False


def _plain_jpeg(data: bytes, least: int) -> np.ndarray | None:
    """Return a JPEG's pixels from simplejpeg; None if it is not installed, or rejects a readable file."""
    fast = _simplejpeg()
    if not fast:
        return None
    try:
        pixels: np.ndarray = fast.decode_jpeg(data, "RGB", min_height=least, min_width=least)
    except ValueError as error:
        if any(damage in str(error) for damage in DAMAGE):
            raise DecodeError(f"its pixels are damaged ({str(error).removeprefix('Corrupt JPEG data: ')})") from error
        return None
    return pixels


@lru_cache
def _simplejpeg() -> Any:
    try:
        import simplejpeg
    except ImportError:
        log.info("Without simplejpeg, damage within the pixels of a JPEG is not detected: pip install 'offshelf[fast]'")
        return None
    return simplejpeg


def rgb(image: "Pillow.Image", background: Colour) -> "Pillow.Image":
    """Convert to 8-bit RGB."""
    from PIL import Image as Pillow

    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        layer = image.convert("RGBA")
        image = Pillow.new("RGBA", layer.size, (*background, 255))
        image.alpha_composite(layer)
    return image.convert("RGB")
