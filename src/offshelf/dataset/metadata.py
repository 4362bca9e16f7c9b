"""Metadata of image files: removal of broken metadata, and the orientation."""

import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL import Image as Pillow

ORIENTATION = 0x0112
"""Tag of EXIF."""

PNG_PIXELS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
"""Chunks that affect the pixels."""

WEBP_PIXELS = (b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF")

JPEG_KEPT = (0xE0, 0xEE)
"""Application segments of a JPEG that declare its colours: JFIF's and Adobe's."""


def bare(data: bytes) -> bytes:
    """Return a JPEG, PNG or WebP file without its metadata; other files, and undecipherable ones, unchanged."""
    if data.startswith(b"\xff\xd8"):
        return _bare_jpeg(data)
    if data.startswith(b"\x89PNG"):
        return _bare_png(data)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _bare_webp(data)
    return data


def orientation(image: "Pillow.Image") -> int:
    """Return EXIF's orientation; 1 if it is missing or cannot be read."""
    try:
        found = image.getexif().get(ORIENTATION, 1)
    except Exception:  # broken metadata does not concern the pixels
        return 1
    return found if found in _TURNS else 1


def upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Return pixels [H, W, 3] as the camera was held: writable, with contiguous rows."""
    return np.require(_TURNS[orientation](pixels), requirements=["C", "W"])


_TURNS = {
    1: lambda pixels: pixels,
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: pixels.transpose(1, 0, 2),
    6: lambda pixels: pixels[::-1].transpose(1, 0, 2),
    7: lambda pixels: pixels[::-1, ::-1].transpose(1, 0, 2),
    8: lambda pixels: pixels[:, ::-1].transpose(1, 0, 2),
}


def _bare_jpeg(data: bytes) -> bytes:
    kept, place = [data[:2]], 2
    while place + 4 <= len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        if marker == 0xDA:  # start of scan: pixels follow
            return b"".join([*kept, data[place:]])
        end = place + 2 + int.from_bytes(data[place + 2 : place + 4], "big")
        if not (0xE0 <= marker <= 0xEF or marker == 0xFE) or marker in JPEG_KEPT:
            kept.append(data[place:end])
        place = end
    return data


def png_is_whole(data: bytes) -> bool:
    """Return whether a PNG is complete, and the checksums of all chunks that affect its pixels match."""
    view = memoryview(data)
    name = b""
    for name, start, end in _png_chunks(data):
        stated = int.from_bytes(view[end - 4 : end], "big")
        if name in PNG_PIXELS and (end > len(data) or zlib.crc32(view[start + 4 : end - 4]) != stated):
            return False
    return name == b"IEND"


def _bare_png(data: bytes) -> bytes:
    return data[:8] + b"".join(data[start:end] for name, start, end in _png_chunks(data) if name in PNG_PIXELS)


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield names of chunks, with their start and end, up to the last."""
    place, name = 8, b""
    while place + 12 <= len(data) and name != b"IEND":
        start, name = place, data[place + 4 : place + 8]
        place += 12 + int.from_bytes(data[start : start + 4], "big")
        yield name, start, place


def _bare_webp(data: bytes) -> bytes:
    kept, place = [], 12
    while place + 8 <= len(data):
        length = int.from_bytes(data[place + 4 : place + 8], "little")
        end = place + 8 + length + length % 2
        if data[place : place + 4] in WEBP_PIXELS:
            kept.append(data[place:end])
        place = end
    body = b"WEBP" + b"".join(kept)
    return b"RIFF" + len(body).to_bytes(4, "little") + body
