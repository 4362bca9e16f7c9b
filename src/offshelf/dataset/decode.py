"""From a file's bytes to pixels: by content, not name; the first frame, upright by EXIF, on a background, RGB, 8 bits.

Plain JPEGs go through simplejpeg where it is installed: the same library as Pillow's, libjpeg-turbo, with the same
settings and, as the tests say, the same pixels, in two thirds of the time. It also tells damage that libjpeg fills in
with grey. Everything else, and whatever else simplejpeg objects to, is Pillow's, which so has the last word on what can
be read. Of metadata the orientation alone counts, where it can be read.
"""

import logging
import threading
import warnings
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from offshelf.dataset.depth import Samples, is_deep, jpeg2000_bits
from offshelf.dataset.metadata import orientation, png_is_whole, upright
from offshelf.dataset.raster import JPEG, JPEG2000, MAX_PIXELS, PNG, PPM, TIFF, Raster, format_of, open_first
from offshelf.dataset.raster import DecodeError as DecodeError
from offshelf.dataset.value_range import Extent, Range, common_range

if TYPE_CHECKING:
    from PIL import Image as Pillow

log = logging.getLogger(__name__)

Colour = tuple[int, int, int]

UNLIMITED = 1 << 62
"""Pixels, where none is made."""

TIFF_WIDTH, TIFF_HEIGHT = 256, 257
"""Tags."""

DAMAGE = ("premature end of data segment", "bad Huffman code", "instead of RST", "bad arithmetic code")
"""What libjpeg says where it goes on with pixels of its own; bytes too many before a marker do no harm."""


def decode(data: bytes, background: Colour, values: Range = "auto", max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Pixels, uint8 [H, W, 3], RGB, writable.

    Args:
        data: The file.
        background: RGB, seen through transparent pixels.
        values: The range of values of an image of more than 8 bits; `auto`: of this image alone, see `value_range`.
        max_pixels: Images of more are refused.

    Raises:
        DecodeError: it cannot be read, or has more than 8 bits and no range.
    """

    def work(raster: Raster) -> np.ndarray:
        image = raster.image
        pixels = None
        _require_whole(raster)
        if is_deep(raster):
            image = _narrow(Samples.of(raster), values)
        elif raster.format is JPEG and image.mode in ("RGB", "L"):
            pixels = _plain_jpeg(data)
        if pixels is None:
            image.load()
            _scale_key(raster)
            pixels = np.array(rgb(image, background))
        return upright(pixels, orientation(raster.image))

    with _quiet:
        return open_first(data, work, max_pixels)


def check(data: bytes, max_pixels: int = MAX_PIXELS) -> Extent | None:
    """Raise DecodeError where `decode` would, as far as that can be told without decoding most files.

    A JPEG must reach its end marker, a PNG's checksums must hold; where they do not, and in all other formats, the
    pixels are decoded. What this does not tell is damage in the compressed pixels of a JPEG that ends, and of a PNG
    whose checksums were made of damaged pixels.

    Returns:
        What an image of more than 8 bits holds; None for others.
    """

    def work(raster: Raster) -> Extent | None:
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

    with _quiet:
        return open_first(data, work, max_pixels)


def _require_whole(raster: Raster) -> None:
    if raster.format is PNG and not png_is_whole(raster.data):
        raise DecodeError("its data are damaged or truncated: a checksum is wrong, or its end is missing")
    if raster.format is JPEG2000 and raster.image.mode != "I;16" and jpeg2000_bits(raster.data) > 8:
        # Pillow rounds up to 256, which is 0 in 8 bits: white comes out black, and what is opaque transparent.
        raise DecodeError(
            "it is JPEG 2000 of more than 8 bits a colour, which cannot be read faithfully: save it as TIFF"
        )


def _scale_key(raster: Raster) -> None:
    """Bring the transparent value of a PNG to 8 bits, as Pillow brings pixels: the lowest bits of it count."""
    key = raster.image.info.get("transparency") if raster.format is PNG else None
    if isinstance(key, tuple):
        raster.image.info["transparency"] = tuple(value & 255 for value in key)
    elif isinstance(key, int) and raster.image.mode == "L":
        white = (1 << raster.data[24]) - 1
        raster.image.info["transparency"] = (key & white) * (255 // white)


def upright_size_of(data: bytes) -> tuple[int, int]:
    """Width and height of what `decode` makes, from the header. Raises DecodeError."""

    def work(raster: Raster) -> tuple[int, int]:
        # Of a TIFF on its side Pillow gives the size that it will have.
        tags = raster.image.tag_v2 if raster.format is TIFF else {}
        width, height = raster.image.size if not tags else (tags[TIFF_WIDTH], tags[TIFF_HEIGHT])
        return (height, width) if orientation(raster.image) >= 5 else (width, height)

    with _quiet:
        return open_first(data, work, UNLIMITED)


def holds_depth(data: bytes) -> bool:
    """Whether an image has more than 8 bits a value, from its header; not where it cannot be read."""
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
            "it has more than 8 bits a value, and no range of values is set for such images: say what is black and "
            "what is white with value_range=[black,white], or save it with 8 bits"
        )
    return samples.eight_bits(common_range({"it": samples.extent}) if values == "auto" else values)


class _Quiet:
    """Pillow's remarks on odd metadata unsaid while any thread decodes; pixels that cannot be read are errors.

    The filters are those of the process: threads that each put theirs back would leave those of another.
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
    """Whether an end marker follows the pixels; one in an embedded thumbnail does not count."""
    place = 2
    while place + 4 <= len(data) and data[place] == 0xFF:
        if data[place + 1] == 0xDA:  # start of scan
            return data.rfind(b"\xff\xd9") > place
        place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    return False


def _has_sound_header(data: bytes) -> bool:
    """Whether simplejpeg, where it is installed, can read a JPEG's tables."""
    fast = _simplejpeg()
    try:
        return not fast or bool(fast.decode_jpeg_header(data))
    except ValueError:
        return False


def _plain_jpeg(data: bytes) -> np.ndarray | None:
    """A JPEG's pixels by simplejpeg; None where it is not installed, or stricter than it need be."""
    fast = _simplejpeg()
    if not fast:
        return None
    try:
        pixels: np.ndarray = fast.decode_jpeg(data, "RGB")
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
        log.info("Without simplejpeg, damage within the pixels of a JPEG is not noticed: pip install 'offshelf[fast]'")
        return None
    return simplejpeg


def rgb(image: "Pillow.Image", background: Colour) -> "Pillow.Image":
    """8-bit RGB."""
    from PIL import Image as Pillow

    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        layer = image.convert("RGBA")
        image = Pillow.new("RGBA", layer.size, (*background, 255))
        image.alpha_composite(layer)
    return image.convert("RGB")
