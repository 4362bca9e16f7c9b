"""Images as values: the source of the pixels, and their identity."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from typing_extensions import override

from offshelf.dataset.decode import Colour, DecodeError, check, decode, examine, holds_depth
from offshelf.dataset.intensity_range import Extent, Range, ValueRange
from offshelf.dataset.location import Location, version_of
from offshelf.dataset.raster import MAX_PIXELS
from offshelf.dataset.remote.seen import Look, forget, record, seen_before
from offshelf.errors import ImageError
from offshelf.identity import array_digest, digest

PixelBox = tuple[float, float, float, float]


class Image(Protocol):
    """An image that is identified without decoding, and decoded on demand. It can be pickled; `str` names it."""

    @property
    def digest(self) -> str:
        """SHA-256, in hexadecimal, of all that determines the pixels: bytes, region, background colour, value range."""

    def load(self) -> np.ndarray:
        """Return pixels, uint8 [H, W, 3], RGB. Raises ImageError with the file's name and the reason."""


@dataclass(frozen=True, eq=False)
class ImageArray(Image):
    """Pixels in memory: uint8 [H, W, 3], RGB. Raises ImageError for any other array."""

    pixels: np.ndarray

    def __post_init__(self) -> None:
        require_pixels(self.pixels, "an ImageArray")

    def __str__(self) -> str:
        return f"an image of {self.pixels.shape[1]} x {self.pixels.shape[0]} in memory"

    @cached_property
    @override
    def digest(self) -> str:
        return array_digest(self.pixels)

    @override
    def load(self) -> np.ndarray:
        """Return the pixels. Raises ImageError if they were changed after the digest was computed."""
        if self.__dict__.setdefault("digest", now := array_digest(self.pixels)) != now:
            raise ImageError(f"The pixels of {self} were changed while it was in use; give it a copy of its own.")
        return self.pixels


@dataclass(frozen=True, eq=False)
class ImageBytes(Image):
    """An image file's bytes in memory; see ImageFile."""

    data: bytes = field(repr=False)
    background: Colour = (255, 255, 255)
    value_range: ValueRange | None = None
    max_pixels: int = MAX_PIXELS

    def __str__(self) -> str:
        return f"an image file of {len(self.data):,} bytes in memory"

    @cached_property
    @override
    def digest(self) -> str:
        deep_values = self.value_range if holds_depth(self.data) else None
        return _identity(hashlib.sha256(self.data).hexdigest(), None, self.background, deep_values)

    @override
    def load(self) -> np.ndarray:
        try:
            return decode(self.data, self.background, self.value_range, self.max_pixels)
        except DecodeError as error:
            raise ImageError(f"{self} cannot be read as an image: {error}.") from error


@dataclass(frozen=True)
class ImageFile(Image):
    """A file, opened by content, not name: the first frame, upright by EXIF, on a background, as 8-bit RGB."""

    path: Location
    """A `pathlib.Path`, or wherever else its bytes are."""
    background: Colour = (255, 255, 255)
    """RGB behind transparent pixels."""
    region: PixelBox | None = None
    """x1, y1, x2, y2 in pixels of the upright image, x2 and y2 exclusive; clipped to the image."""
    value_range: Range = "auto"
    """Black and white of values with more than 8 bits. `auto` is resolved for a whole set at once, by `check_images`;
    None rejects such images."""
    max_pixels: int = MAX_PIXELS

    def __str__(self) -> str:
        return str(self.path)

    @cached_property
    @override
    def digest(self) -> str:
        """Return the digest. Raises ImageError if the range of values is not resolved."""
        look = self._seen()
        if look is None:
            data = self._bytes()
            return self._identify(hashlib.sha256(data).hexdigest(), holds_depth(data))
        return self._identify(look.digest, look.extent is not None)

    def known_as(self, digest: str) -> "ImageFile":
        """Return the image itself, with a digest that was computed before."""
        self.__dict__["digest"] = digest
        return self

    @property
    def settled(self) -> Range:
        """Range of values after resolution."""
        return self.__dict__.get("settled", self.value_range)

    def settle(self, values: ValueRange) -> None:
        """Set the range of values of the image's set."""
        self.__dict__["settled"] = values

    @override
    def load(self) -> np.ndarray:
        """Return the pixels.

        Raises:
            ImageError: The image cannot be read, or was changed after its digest was computed.
        """
        data = self._bytes()
        now = self._identify(hashlib.sha256(data).hexdigest(), holds_depth(data))
        if self.__dict__.setdefault("digest", now) != now:
            forget(self.path)
            raise ImageError(f"{self.path} was changed while it was in use; start again.")
        try:
            return self._cut(decode(data, self.background, self.settled, self.max_pixels))
        except DecodeError as error:
            raise self._unreadable(error) from error

    def check(self) -> Extent | None:
        """Raise ImageError if the file is not a complete image, mostly without decoding; compute the digest.

        Returns:
            The values of an image whose range must be resolved before it has a digest; None for others.
        """
        look = self._seen() or self._look()
        if look.extent and self.settled is None:
            self._refuse_depth()
        if look.extent and self.settled == "auto":
            return look.extent
        self.known_as(self._identify(look.digest, look.extent is not None))
        return None

    def _seen(self) -> Look | None:
        """Return what an earlier run saw of the file, if it is remote and has not changed since."""
        return seen_before(self.path, self.max_pixels)

    def _look(self) -> Look:
        """Read the file, and record what is seen of a remote one. Raises ImageError if it is not a complete image."""
        data = self._bytes()
        try:
            if not version_of(self.path):
                return Look(hashlib.sha256(data).hexdigest(), check(data, self.max_pixels))
            extent, size = examine(data, self.max_pixels)
        except DecodeError as error:
            raise self._unreadable(error) from error
        look = Look(hashlib.sha256(data).hexdigest(), extent, size)
        record(self.path, look)
        return look

    def _refuse_depth(self) -> None:
        """Raise ImageError with the reason why an image of more than 8 bits is not read."""
        try:
            decode(self._bytes(), self.background, None, self.max_pixels)
        except DecodeError as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: DecodeError) -> ImageError:
        return ImageError(f"{self.path} cannot be read as an image: {error}.")

    def _identify(self, bytes_digest: str, is_deep: bool) -> str:
        values = self.settled
        if values == "auto" and is_deep:
            raise ImageError(
                f"{self.path} has more than 8 bits per value, and their range is that of a whole set: "
                "offshelf.dataset.check_images resolves it, or set it: ImageFile(…, value_range=(black, white))."
            )
        return _identity(bytes_digest, self.region, self.background, values if is_deep and values != "auto" else None)

    def _bytes(self) -> bytes:
        try:
            return self.path.read_bytes()
        except OSError as error:
            raise ImageError(f"{self.path} cannot be read: {error.strerror}.") from error

    def _cut(self, pixels: np.ndarray) -> np.ndarray:
        if self.region is None:
            return pixels
        height, width = pixels.shape[:2]
        x1, y1, x2, y2 = (round(edge) for edge in self.region)
        left, top, right, bottom = max(x1, 0), max(y1, 0), min(x2, width), min(y2, height)
        if left >= right or top >= bottom:
            raise ImageError(f"The box {self.region} of {self.path} has no pixel of the image of {width} x {height}.")
        return pixels[top:bottom, left:right]


def require_pixels(pixels: Any, whose: object) -> None:
    """Raise ImageError for anything but an array of pixels, uint8 [H, W, 3]; `whose` is for the message."""
    is_array = isinstance(pixels, np.ndarray)
    if is_array and pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 3 and pixels.size:
        return
    got = f"{pixels.dtype} {list(pixels.shape)}" if is_array else f"a {type(pixels).__name__}"
    is_fraction = is_array and pixels.dtype.kind == "f"
    hint = " For fractions of 1: (255 * values).round().astype(np.uint8)." if is_fraction else ""
    raise ImageError(f"The pixels of {whose} must be a NumPy array, uint8 [H, W, 3], RGB, 0 to 255; got {got}.{hint}")


def _identity(bytes_digest: str, region: PixelBox | None, background: Colour, values: ValueRange | None) -> str:
    """Return the SHA-256, in hexadecimal. A range of values counts only if it affects the pixels, not for 8 bits."""
    known: dict[str, Any] = {"bytes": bytes_digest, "region": region, "background": background}
    if values:
        known["values"] = [float(value) for value in values]
    return digest(known)


def parse_colour(colour: str | Sequence[int]) -> Colour:
    """Return the RGB of a colour's name, `#rrggbb`, or three numbers. Raises ImageError."""
    from PIL import ImageColor

    try:
        named = ImageColor.getrgb(colour)[:3] if isinstance(colour, str) else tuple(int(value) for value in colour)
        red, green, blue = named
        if not all(0 <= value <= 255 for value in named):
            raise ValueError(named)
    except (ValueError, TypeError, OverflowError) as error:
        raise ImageError(f"dataset.background={colour} is not a colour; expected: name, #rrggbb or [r,g,b].") from error
    return red, green, blue
