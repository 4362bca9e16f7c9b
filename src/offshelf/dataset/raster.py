"""Raster image files, recognised by content and opened by Pillow's classes for a few formats only.

Pillow supports formats that are programs (PostScript), pass their bytes to other programs, or can contain any other
format; none of them is ever tried. Claims of a header are compared with the file's length before pixels are allocated.
"""

import importlib
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from offshelf.dataset.metadata import bare
from offshelf.dataset.tiff import black_as_zero
from offshelf.errors import ConfigError

T = TypeVar("T")

MAX_PIXELS = 89_478_485
"""Pillow's own limit: a quarter of a GiB, as RGB."""

UNDOUBTED = 1 << 20
"""Number of pixels that a file of any length may claim: 3 MB."""


class DecodeError(ValueError):
    """Bytes are not a readable image; the message says why."""


@dataclass(frozen=True)
class Format:
    """A format: Pillow's module and class for it, and the largest number of bits of pixels per byte of its files."""

    name: str
    pillow: str
    bits_per_byte: int | None
    """Largest number; None: unlimited."""


# Largest number of bits per byte. Deflate: 1,032 bytes. LZW: strings of 4,096 for 12 bits. Huffman-coded JPEG: a block
# of 64 pixels takes at least a bit, with a margin for uneven sampling, at 24 bits per pixel.
DEFLATE, LZW, HUFFMAN = 1032 * 8, 2731 * 8, 1024 * 24

JPEG = Format("JPEG", "JpegImagePlugin.JpegImageFile", HUFFMAN)
PNG = Format("PNG", "PngImagePlugin.PngImageFile", DEFLATE)
GIF = Format("GIF", "GifImagePlugin.GifImageFile", LZW)
WEBP = Format("WebP", "WebPImagePlugin.WebPImageFile", None)
BMP = Format("BMP", "BmpImagePlugin.BmpImageFile", 255 * 8)
PPM = Format("PPM", "PpmImagePlugin.PpmImageFile", 8)
TIFF = Format("TIFF", "TiffImagePlugin.TiffImageFile", None)
AVIF = Format("AVIF", "AvifImagePlugin.AvifImageFile", None)
JPEG2000 = Format("JPEG 2000", "Jpeg2KImagePlugin.Jpeg2KImageFile", None)
FORMATS = (JPEG, PNG, GIF, WEBP, BMP, PPM, TIFF, AVIF, JPEG2000)
HEIC = Format("HEIC", "", None)
"""Phones' photos, by pillow-heif, which is not installed with Pillow."""
HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx")

TIFF_COMPRESSION, TIFF_BITS = 259, 258
TIFF_BITS_PER_BYTE = {1: 8, 5: LZW, 6: HUFFMAN, 7: HUFFMAN, 8: DEFLATE, 32946: DEFLATE, 32773: 64 * 8}
"""By TIFF's compression number: none, LZW, JPEG (old, new), deflate (both), PackBits. Others are unlimited."""

_BEGINNINGS = (
    (b"\xff\xd8\xff", JPEG),
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"GIF87a", GIF),
    (b"GIF89a", GIF),
    (b"BM", BMP),
    *((start, TIFF) for start in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")),
    *((b"P%c" % letter, PPM) for letter in b"123456fF"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", JPEG2000),
    (b"\xff\x4f\xff\x51", JPEG2000),
)

_FOREIGN = (
    (b"%!", "PostScript"),
    (b"\xc5\xd0\xd3\xc6", "PostScript"),
    (b"%PDF", "PDF"),
    (b"<svg", "SVG"),
    (b"8BPS", "Photoshop"),
    (b"\xd7\xcd\xc6\x9a", "WMF"),
    (b"\0\0\1\0", "icon"),
)


def format_of(data: bytes) -> Format | None:
    """Return the format of a file by its first bytes; None if it is not a supported raster format."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return WEBP
    if data[4:8] == b"ftyp" and data[8:12] in (b"avif", b"avis"):
        return AVIF
    if data[4:8] == b"ftyp" and data[8:12] in (b"mif1", b"msf1") and b"avif" in data[16:64]:
        return AVIF
    if data[4:8] == b"ftyp" and data[8:12] in (*HEIC_BRANDS, b"mif1", b"msf1"):
        return HEIC
    return next((format for start, format in _BEGINNINGS if data.startswith(start)), None)


@dataclass(frozen=True, eq=False)
class Raster:
    """An opened file."""

    image: Any
    """Pillow's image, of which only the header was read."""
    format: Format
    data: bytes
    is_white_zero: bool
    """Whether the smallest value of more than 8 bits is white; Pillow was told that it is black."""


def require_pixels(most: int) -> None:
    """Raise ConfigError for a `max_pixels` that no image could have."""
    if isinstance(most, bool) or not isinstance(most, int) or most < 1:
        raise ConfigError(f"dataset.max_pixels is a number of pixels from 1 on; got {most}.")


def open_first(data: bytes, work: Callable[[Raster], T], max_pixels: int) -> T:
    """Open a file and call `work` on it; on failure try again without metadata, which may be broken.

    Raises:
        DecodeError: It is not a raster format, is too large, claims more than it holds, or the work fails twice.
    """
    format = format_of(data)
    if format is None:
        raise DecodeError(_unknown(data))
    first: Exception | None = None
    turned = black_as_zero(data) if format is TIFF else None
    for version in _versions(turned or data):
        try:
            with pillow_class(format)(io.BytesIO(version)) as image:
                raster = Raster(image, format, version, turned is not None)
                _require_plausible(raster, max_pixels)
                return work(raster)
        except DecodeError:
            raise
        except Exception as error:  # decoders raise many kinds, all about the file
            first = first or error
    raise DecodeError(_reason(first, format)) from first


def _reason(error: Exception | None, format: Format) -> str:
    text = (str(error) or type(error).__name__).rstrip(".")
    if isinstance(error, OSError):  # Pillow's own message, for people
        return text
    return f"it is {format.name} of an unsupported kind, or damaged ({text})"


def _versions(data: bytes) -> Iterator[bytes]:
    yield data
    stripped = bare(data)
    if stripped != data:
        yield stripped


def pillow_class(format: Format) -> Any:
    """Return Pillow's class for a format. Raises DecodeError if it is not installed, or not in this release."""
    if format is HEIC:
        return _heic_class()
    module, _, name = format.pillow.partition(".")
    try:
        return getattr(importlib.import_module(f"PIL.{module}"), name)
    except ImportError as error:
        raise DecodeError(f"it is {format.name}, which needs a newer release of Pillow") from error


def _heic_class() -> Any:
    try:
        from pillow_heif.as_plugin import HeifImageFile
    except ImportError as error:
        raise DecodeError(
            "it is HEIC, as phones take photos: pip install 'offshelf[heic]' to read it, or convert it"
        ) from error
    return HeifImageFile


def _require_plausible(raster: Raster, most: int) -> None:
    width, height = raster.image.size
    pixels, claim = width * height, f"{width:,} x {height:,} pixels"
    if pixels > most:
        raise DecodeError(
            f"it has {claim}, which is more than is safe to decode by default; if it is right, set "
            f"dataset.max_pixels={pixels}"
        )
    bits, per_byte = _bits(raster)
    if pixels > UNDOUBTED and per_byte and pixels * bits > per_byte * len(raster.data):
        raise DecodeError(f"it claims {claim}, which is more than its {len(raster.data):,} bytes can hold")


def _bits(raster: Raster) -> tuple[int, int | None]:
    """Return bits per pixel in the file, and the largest number of them per byte of the file."""
    if raster.format is TIFF:
        tags = raster.image.tag_v2
        return sum(tags.get(TIFF_BITS, (1,))), TIFF_BITS_PER_BYTE.get(tags.get(TIFF_COMPRESSION, 1))
    if raster.format is PNG:
        depth, colour = raster.data[24:26]
        return depth * {2: 3, 4: 2, 6: 4}.get(colour, 1), DEFLATE
    return {JPEG.name: 24, GIF.name: 8}.get(raster.format.name, 1), raster.format.bits_per_byte


def _unknown(data: bytes) -> str:
    if not data:
        return "it is empty"
    known = ", ".join(format.name for format in FORMATS)
    foreign = next((name for start, name in _FOREIGN if data.lstrip().startswith(start)), None)
    if foreign:
        return f"it is {foreign}, which is never opened; expected: {known}"
    return f"its content is not of a known image format; expected: {known}"
