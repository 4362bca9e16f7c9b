"""Images that the tests of the Python API share."""

import numpy as np
import pytest
from PIL import Image as Pillow

from offshelf.dataset import Digits


@pytest.fixture(scope="session")
def digits():
    """Pixels, uint8 [60, 8, 8, 3], and classes, int64 [60], of the first digits."""
    samples = Digits().load().samples[:60]
    return np.stack([sample.image.pixels for sample in samples]), np.array([sample.target for sample in samples])


@pytest.fixture
def folder(tmp_path, digits):
    """A folder of three classes of ten images each, and the paths of the images in the order of a listing."""
    pixels, classes = digits
    paths = []
    for number in range(3):
        place = tmp_path / "photos" / f"digit_{number}"
        place.mkdir(parents=True)
        for row in np.flatnonzero(classes == number)[:5]:
            paths.append(place / f"{row:02d}.png")
            Pillow.fromarray(pixels[row]).save(paths[-1])
    return tmp_path / "photos", paths
