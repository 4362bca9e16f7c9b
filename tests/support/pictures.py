"""Images for data sets in few large files: bytes as they are in files, with labels."""

import io

import numpy as np
from PIL import Image

from offshelf.dataset import ImageBytes


def png(number, side=8):
    """The bytes of a PNG file; another image for each number."""
    pixels = np.random.default_rng(number).integers(0, 256, (side, side, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def pngs(count=12):
    """Several files."""
    return [png(number) for number in range(count)]


def digests_of(numbers):
    """What identifies these images, wherever they are."""
    return [ImageBytes(png(number)).digest for number in numbers]


def sizes(images):
    """Images to train on, and to test on."""
    (fold,) = images.folds
    return len(fold.train), len(fold.test)
