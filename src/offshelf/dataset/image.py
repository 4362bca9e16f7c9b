"""Images: where the pixels come from and what identifies them."""

import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from offshelf.errors import ImageError
from offshelf.identity import array_digest, digest

if TYPE_CHECKING:
    from PIL import Image as Pillow

Box = tuple[float, float, float, float]
Colour = tuple[int, int, int]


class Image(Protocol):
    """One picture that can be identified without decoding it, and decoded when needed. Picklable."""

    @property
    def digest(self) -> str:
        """SHA-256, in hex, of everything that fixes the pixels: bytes, region, background colour."""

    def load(self) -> np.ndarray:
        """Pixels, uint8 [H, W, 3], RGB. Raises ImageError with the file's name and the reason."""


@dataclass(frozen=True, eq=False)
class ImageArray:
    """Pixels in memory: uint8 [H, W, 3], RGB."""

    pixels: np.ndarray

    @cached_property
    def digest(self) -> str:
        """See Image."""
        return array_digest(self.pixels)

    def load(self) -> np.ndarray:
        """See Image."""
        return self.pixels


@dataclass(frozen=True)
class ImageFile:
    """A file, opened by its content, not its name: the first frame, upright by EXIF, on a background, RGB, 8 bits."""

    path: Path
    background: Colour = (255, 255, 255)
    """RGB, seen through transparent pixels."""
    region: Box | None = None
    """x1, y1, x2, y2 in pixels of the upright image, x2 and y2 exclusive; cut to the image."""

    @cached_property
    def digest(self) -> str:
        """See Image."""
        import hashlib

        content = hashlib.sha256(self._bytes()).hexdigest()
        return digest({"bytes": content, "region": self.region, "background": self.background})

    def load(self) -> np.ndarray:
        """See Image."""
        from PIL import Image as Pillow
        from PIL import ImageOps

        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about odd metadata; pixels that cannot be read are errors
                warnings.simplefilter("error", Pillow.DecompressionBombWarning)
                with Pillow.open(io.BytesIO(self._bytes())) as image:
                    image.load()
                    upright = ImageOps.exif_transpose(_rgb(image, self.background))
        except ImageError:
            raise
        except Exception as error:  # decoders raise many kinds, all of them about the file
            raise ImageError(f"{self.path} cannot be read as an image: {_reason(error)}.") from error
        return np.asarray(self._cut(upright))

    def check(self) -> None:
        """Raise ImageError when the file cannot be opened as an image; pixels are not decoded."""
        from PIL import Image as Pillow

        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                warnings.simplefilter("error", Pillow.DecompressionBombWarning)
                with Pillow.open(io.BytesIO(self._bytes())):
                    pass
        except ImageError:
            raise
        except Exception as error:
            raise ImageError(f"{self.path} cannot be read as an image: {_reason(error)}.") from error

    def _bytes(self) -> bytes:
        try:
            return self.path.read_bytes()
        except OSError as error:
            raise ImageError(f"{self.path} cannot be read: {error.strerror}.") from error

    def _cut(self, image: "Pillow.Image") -> "Pillow.Image":
        if self.region is None:
            return image
        x1, y1, x2, y2 = (round(edge) for edge in self.region)
        box = (max(x1, 0), max(y1, 0), min(x2, image.width), min(y2, image.height))
        if box[0] >= box[2] or box[1] >= box[3]:
            raise ImageError(
                f"The box {self.region} of {self.path} holds no pixel of the image of {image.width} x {image.height}."
            )
        return image.crop(box)


def check_images(images: Sequence[Image]) -> None:
    """Read every file once, in threads, for its digest and its header.

    Raises:
        ImageError: names every file that cannot be read (the first 20) and why, before any long work.
    """
    import os
    from concurrent.futures import ThreadPoolExecutor

    def fault(image: Image) -> str | None:
        try:
            if isinstance(image, ImageFile):
                image.check()
            _ = image.digest
        except ImageError as error:
            return str(error)
        return None

    with ThreadPoolExecutor(min(8, (os.cpu_count() or 1) * 2)) as pool:
        faults = [text for text in pool.map(fault, images) if text]
    if faults:
        more = f"\n… and {len(faults) - 20} more." if len(faults) > 20 else ""
        listed = "\n".join(faults[:20])
        raise ImageError(f"{len(faults)} of {len(images)} images cannot be used; mend or remove them:\n{listed}{more}")


def parse_colour(colour: str | Sequence[int]) -> Colour:
    """RGB of a colour's name, `#rrggbb`, or three numbers. Raises ImageError."""
    from PIL import ImageColor

    try:
        named = ImageColor.getrgb(colour)[:3] if isinstance(colour, str) else tuple(int(value) for value in colour)
        red, green, blue = named
    except ValueError as error:
        raise ImageError(f"dataset.background={colour} is no colour: expected a name, #rrggbb or [r,g,b].") from error
    return red, green, blue


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
    if isinstance(error, Pillow.DecompressionBombWarning | Pillow.DecompressionBombError):
        return "it has more pixels than is safe to decode"
    return (str(error) or type(error).__name__).rstrip(".")
