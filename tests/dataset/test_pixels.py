"""Pixels that programs hand over: what is no picture of 8 bits is refused, and so is what changes in use."""

import numpy as np
import pytest

from offshelf.augmentation import center
from offshelf.backbone import Tiny
from offshelf.dataset import ImageArray
from offshelf.errors import BadImagesError, ImageError
from offshelf.extractor import Extractor, Request
from offshelf.extractor.runner import predict
from offshelf.store import MemoryStore

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 48, 3), np.uint8)


@pytest.mark.parametrize(
    ("pixels", "got"),
    [
        (PIXELS / 255, r"got float64 \[40, 48, 3\]. For fractions of 1: "),
        (PIXELS.astype(np.float32), r"got float32 \[40, 48, 3\]"),
        (PIXELS.astype(int), "got int64"),
        (PIXELS > 127, "got bool"),
        (PIXELS[..., 0], r"got uint8 \[40, 48\]"),
        (PIXELS[..., [0, 1, 2, 0]], r"got uint8 \[40, 48, 4\]"),
        (np.moveaxis(PIXELS, 2, 0), r"got uint8 \[3, 40, 48\]"),
        (PIXELS[:0], r"got uint8 \[0, 48, 3\]"),
        (PIXELS.tolist(), "got a list"),
    ],
)
def test_other_arrays_are_refused(pixels, got):
    with pytest.raises(ImageError, match=rf"uint8 \[H, W, 3\], RGB, 0 to 255; {got}"):
        ImageArray(pixels)


def test_any_layout_in_memory_is_taken():
    for pixels in (PIXELS[::-1, ::-1], np.asfortranarray(PIXELS), PIXELS[..., ::-1]):
        assert (ImageArray(pixels).load() == pixels).all()


def test_pixels_that_change_in_use_are_refused():
    """A buffer that a camera fills again, say: its features would be kept as those of the picture before."""
    pixels = PIXELS.copy()
    image = ImageArray(pixels)
    assert image.digest
    pixels[:] = 0
    with pytest.raises(ImageError, match="changed while it was in use"):
        image.load()


class Own:
    """An image class of the user's that gives fractions."""

    digest = "0" * 64

    def load(self):
        """Not as promised."""
        return PIXELS / 255

    def __str__(self):
        return "my picture"


def test_what_an_image_class_of_the_users_gives_is_looked_at():
    """Fractions of 1 would else all be read as black."""
    request = Request(Tiny(), ("block1",), "auto", center().views)
    with pytest.raises(BadImagesError, match=r"The pixels of my picture must be .*got float64"):
        predict(Extractor(engine="eager", device="cpu"), [Own()], request, MemoryStore())
