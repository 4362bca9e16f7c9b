"""Small copies of images, to look at."""

import numpy as np

from offshelf.dataset.decode import DecodeError, decode
from offshelf.dataset.image import Image, ImageFile
from offshelf.errors import ImageError


def thumbnail(image: Image, side: int) -> np.ndarray:
    """Return an image, uint8 [H, W, 3], RGB, at its size, or smaller with sides of `side` pixels or more.

    A JPEG is decoded at a fraction of its size, which takes a fraction of the time.

    Raises:
        ImageError: The image cannot be read.
    """
    if not isinstance(image, ImageFile) or image.region is not None:
        return image.load()
    try:
        return decode(image.path.read_bytes(), image.background, image.settled, image.max_pixels, side)
    except OSError as error:
        raise ImageError(f"{image.path} cannot be read: {error.strerror}.") from error
    except DecodeError as error:
        raise ImageError(f"{image.path} cannot be read as an image: {error}.") from error
