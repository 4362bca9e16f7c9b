"""Images of more than 8 bits per value: their raw samples, and their conversion to 8 bits by a range of values.

A file of 16 bits does not say whether all of them are used: a camera's 12 bits would be nearly black in the range of
16. The range is therefore a property of the whole set, see `value_range`.
"""

import io
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from offshelf.dataset.intensity_range import Extent, ValueRange
from offshelf.dataset.raster import JPEG2000, PNG, PPM, TIFF, TIFF_BITS, DecodeError, Raster, pillow_class

if TYPE_CHECKING:
    from PIL import Image as Pillow

ROWS = 256
"""Number of rows that are converted at a time."""

NATIVE = {"I;16S": "I;16NS", "I;16BS": "I;16NS", "I;32S": "I;32NS", "I;32BS": "I;32NS"}
NATIVE |= {"F;32F": "F;32NF", "F;32BF": "F;32NF"}
"""Raw modes of libtiff's output, always in the machine's byte order, where Pillow assumes the file's."""

PLANAR, COMPRESSION, SAMPLE_FORMAT = 284, 259, 339
"""Tags of TIFF."""

SIGNED = 2
"""Sample format of signed integers."""

OTHER_ORDER = {"R": "N", "N": "B" if sys.byteorder == "little" else "L", "B": "L", "L": "B"}
"""The other byte order; N is the machine's own."""


def is_deep(raster: Raster) -> bool:
    """Return whether its values have more than 8 bits in the file, or a sign."""
    if raster.image.mode.startswith(("I", "F")):
        return True
    if raster.format is PNG:
        return raster.data[24] == 16
    if raster.format is not TIFF:
        return False
    tags = raster.image.tag_v2
    return max(tags.get(TIFF_BITS, (1,))) > 8 or tags.get(SAMPLE_FORMAT, (1,))[0] == SIGNED


def jpeg2000_bits(data: bytes) -> int:
    """Return the largest bit depth of the channels of a JPEG 2000 file, from its first header; 0 if there is none."""
    start = data.find(b"\xff\x4f\xff\x51") + 40  # start of the codestream, then its size: 36 bytes before the channels
    count = int.from_bytes(data[start : start + 2], "big") if start >= 40 else 0
    return max(((bits & 0x7F) + 1 for bits in data[start + 2 : start + 2 + 3 * count : 3]), default=0)


@dataclass(frozen=True, eq=False)
class Samples:
    """An image's values, [H, W] or [H, W, channels], with Pillow's mode for 8 bits."""

    values: np.ndarray
    mode: str
    is_white_zero: bool = False
    is_declared: bool = False
    """Whether the file declares its white; Pillow has then scaled the values to 16 bits."""
    transparent: Any = None
    """Values of a transparent pixel."""

    @staticmethod
    def of(raster: Raster) -> "Samples":
        """Read the samples of a file. Raises DecodeError if they are not finite."""
        image, format = raster.image, raster.format
        key = image.info.get("transparency") if format is PNG else None
        tags = getattr(image, "tag_v2", {})
        is_signed_byte = image.mode == "L" and tags.get(SAMPLE_FORMAT, (1,))[0] == SIGNED
        if not image.mode.startswith(("I", "F")) and not is_signed_byte:
            return Samples(*_both_bytes(raster), transparent=key)
        is_declared = format is JPEG2000 or (format is PPM and image.mode == "I" and not _is_raw(image))
        if format is TIFF and image.tile and image.tile[0].codec_name == "libtiff":
            mode = NATIVE.get(_raw_mode(image.tile[0]))
            image.tile = [_with_mode(tile, mode) for tile in image.tile] if mode else image.tile
        image.load()
        values = np.asarray(image)
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise DecodeError("it holds values that are not finite")
        if is_signed_byte:
            values = values.view(np.int8)
        if image.mode == "I" and format is TIFF and tags.get(SAMPLE_FORMAT, (1,))[0] == 1:
            values = values.view(np.uint32)
        return Samples(values, "L", raster.is_white_zero, is_declared, key)

    @property
    def extent(self) -> Extent:
        """Return the smallest and the largest value of the colours."""
        if self.is_declared:
            return Extent(0, 65535, False, True)
        colours = self.values[..., :-1] if self.mode in ("LA", "RGBA", "RGBa") else self.values
        is_float = colours.dtype.kind == "f"
        is_whole = not is_float or bool((colours == np.rint(colours)).all())
        return Extent(float(colours.min()), float(colours.max()), is_float, is_whole)

    def eight_bits(self, to: ValueRange) -> "Pillow.Image":
        """Convert to 8 bits by a range of black and white; invert files in which white is zero."""
        from PIL import Image as Pillow

        pixels, mode = _scaled(self.values, to), self.mode
        if self.is_white_zero:
            pixels = 255 - pixels
        if self.transparent is not None:
            is_seen = (self.values != self.transparent).reshape(*pixels.shape[:2], -1).any(2)
            pixels, mode = np.dstack([pixels, is_seen.astype(np.uint8) * 255]), f"{mode}A"
        size = pixels.shape[1], pixels.shape[0]
        return Pillow.frombytes(mode, size, np.ascontiguousarray(pixels).tobytes())


def _both_bytes(raster: Raster) -> tuple[np.ndarray, str]:
    """Return values uint16 [H, W, channels] of 16-bit colours, of which Pillow keeps one byte, and their mode.

    The file is read once for the high bytes, and once for the low ones with the opposite byte order.
    """
    high, low = raster.image, pillow_class(raster.format)(io.BytesIO(raster.data))
    mode = _raw_mode(high.tile[0])
    if mode.startswith("LA;"):  # four bytes per pixel, of grey and opacity: RGBA to Pillow
        high.tile = [tile._replace(args="RGBA") for tile in high.tile]
        pairs = np.asarray(high).astype(np.uint16)
        return pairs[..., ::2] << 8 | pairs[..., 1::2], "LA"
    if raster.format is TIFF and high.tag_v2.get(PLANAR) == 2 and high.tag_v2.get(COMPRESSION, 1) != 1:
        raise DecodeError(
            "it is a compressed TIFF of 16 bits in separate planes; save it with its channels interleaved"
        )
    is_little = raster.format is TIFF and high.tag_v2._endian == "<"
    for image, of_low in ((high, False), (low, True)):
        image.tile = [_with_mode(tile, _sixteen(_raw_mode(tile), is_little, of_low)) for tile in image.tile]
    values = np.asarray(high).astype(np.uint16) << 8 | np.asarray(low)
    return values, "RGBa" if mode.startswith("RGBa") else high.mode


def _sixteen(mode: str, is_little: bool, of_low: bool) -> str:
    """Return Pillow's raw mode for one byte of 16-bit samples; for single bands it omits the depth."""
    bands, _, order = mode.replace("RGBa", "RGBA").partition(";16")  # premultiplied colours stay as they are
    order = order or ("L" if is_little else "B")
    return f"{bands};16{OTHER_ORDER[order] if of_low else order}"


def _raw_mode(tile: Any) -> str:
    return str(tile.args if isinstance(tile.args, str) else tile.args[0])


def _with_mode(tile: Any, mode: str) -> Any:
    return tile._replace(args=mode if isinstance(tile.args, str) else (mode, *tile.args[1:]))


def _is_raw(image: Any) -> bool:
    """Return whether Pillow leaves a PGM's values unchanged, which it does for 16 bits."""
    return bool(image.tile[0].codec_name == "raw")


def _scaled(values: np.ndarray, to: ValueRange) -> np.ndarray:
    """Scale values to uint8, rounded; values outside the range are clipped."""
    low, high = to
    scaled = np.empty(values.shape, np.uint8)
    for start in range(0, len(values), ROWS):  # in double precision, a few rows at a time
        part = (values[start : start + ROWS].astype(np.float64) - low) * (255 / (high - low))
        scaled[start : start + ROWS] = np.rint(part.clip(0, 255))
    return scaled
