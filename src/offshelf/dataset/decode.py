"""From a file's bytes to pixels: by content, not name; the first frame, upright by EXIF, on a background, RGB, 8 bits.

Plain JPEGs go through simplejpeg where it is installed: the same library as Pillow's, libjpeg-turbo, with the same
settings and, as the tests say, the same pixels, in two thirds of the time. Everything else, and whatever simplejpeg
objects to, is Pillow's, which so has the last word on what can be read.
"""

import io
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from PIL import Image as Pillow

Colour = tuple[int, int, int]

ORIENTATION = 0x0112
"""EXIF's tag."""


class DecodeError(ValueError):
    """Bytes that are no image that can be read; the text says why."""


def decode(data: bytes, background: Colour) -> np.ndarray:
    """Pixels, uint8 [H, W, 3], RGB, writable. Raises DecodeError."""
    from PIL import ImageOps

    with _opened(data) as image:
        fast = _simplejpeg()
        if fast and image.format == "JPEG" and image.mode in ("RGB", "L") and image.getexif().get(ORIENTATION, 1) == 1:
            try:
                pixels: np.ndarray = fast.decode_jpeg(data, "RGB")
                return pixels
            except ValueError:  # it is stricter than Pillow
                pass
        image.load()
        return np.array(ImageOps.exif_transpose(_rgb(image, background)))


def check(data: bytes) -> None:
    """Raise DecodeError where `decode` would, as far as that can be told without decoding most files.

    A JPEG must reach its end marker, a PNG's checksums must hold; where they do not, and in all other formats, the
    pixels are decoded.
    """
    with _opened(data) as image:
        if image.format == "JPEG" and _jpeg_ends(data):
            return
        if image.format == "PNG":
            image.verify()
            return
        image.load()
        _rgb(image, (255, 255, 255))


@contextmanager
def _opened(data: bytes) -> Iterator["Pillow.Image"]:
    from PIL import Image as Pillow

    try:
        with _quiet, Pillow.open(io.BytesIO(data)) as image:
            if Pillow.MAX_IMAGE_PIXELS and image.width * image.height > Pillow.MAX_IMAGE_PIXELS:
                raise Pillow.DecompressionBombError  # from twice as many on it is Pillow's own
            yield image
    except Exception as error:  # decoders raise many kinds, all of them about the file
        raise DecodeError(_reason(error) if data else "it is empty") from error


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


@lru_cache
def _simplejpeg() -> Any:
    try:
        import simplejpeg
    except ImportError:
        return None
    return simplejpeg


def _rgb(image: "Pillow.Image", background: Colour) -> "Pillow.Image":
    """8-bit RGB, with the image's EXIF kept for its orientation."""
    from PIL import Image as Pillow

    exif = image.getexif()
    if image.mode.startswith(("I", "F")):
        image = _eight_bits(image)
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        layer = image.convert("RGBA")
        image = Pillow.new("RGBA", layer.size, (*background, 255))
        image.alpha_composite(layer)
    image = image.convert("RGB")
    image.getexif().update(exif)
    return image


def _eight_bits(image: "Pillow.Image") -> "Pillow.Image":
    """16-bit greys to 8 bits by their high byte; wider or fractional ones by their own range."""
    from PIL import Image as Pillow

    values = np.asarray(image).astype(np.float64)
    if not np.isfinite(values).all():
        raise DecodeError("it holds values that are not finite")
    low, high = float(values.min()), float(values.max())
    if image.mode.startswith("I") and low >= 0 and high < 2**16:
        values = values // 256
    elif image.mode == "F" and low >= 0 and high <= 1:
        values = values * 255
    elif low < 0 or high > 255:
        values = (values - low) * (255 / max(high - low, 1e-12))
    return Pillow.fromarray(values.round().astype(np.uint8))


def _reason(error: Exception) -> str:
    from PIL import Image as Pillow
    from PIL import UnidentifiedImageError

    if isinstance(error, UnidentifiedImageError):
        return "its content is of no known image format"
    if isinstance(error, Pillow.DecompressionBombError):
        return "it has more pixels than is safe to decode"
    return (str(error) or type(error).__name__).rstrip(".")
