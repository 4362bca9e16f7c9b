"""Small copies of images: smaller than the image where that saves time, and of the same picture."""

import numpy as np
import pytest
from PIL import Image as Pillow

from offshelf.dataset import ImageFile, thumbnail
from offshelf.dataset import decode as decoding
from offshelf.errors import ImageError

ORIENTATION = 0x0112


@pytest.fixture
def picture(tmp_path):
    """A picture of 800 x 600, dark at the left and light at the right, as a file of a format."""

    def write(name, **settings):
        ramp = np.linspace(0, 255, 800).astype(np.uint8)
        image = Pillow.fromarray(np.broadcast_to(ramp[:, None], (600, 800, 3)).copy())
        image.save(tmp_path / name, **settings)
        return ImageFile(tmp_path / name)

    return write


@pytest.mark.parametrize("has_simplejpeg", [True, False])
def test_jpeg_is_decoded_at_a_fraction(picture, has_simplejpeg, monkeypatch):
    """Of its sides each has at least the pixels that are asked for; turned upright after that."""
    if not has_simplejpeg:
        monkeypatch.setattr(decoding, "_simplejpeg", lambda: None)
    turned = Pillow.Exif()
    turned[ORIENTATION] = 6
    small = thumbnail(picture("turned.jpg", exif=turned), 96)

    height, width = small.shape[:2]
    assert 96 <= min(height, width) <= 2 * 96
    assert height / width == pytest.approx(800 / 600, rel=0.02)
    whole = Pillow.fromarray(ImageFile(picture("turned.jpg", exif=turned).path).load()).resize((width, height))
    assert np.abs(np.asarray(whole, int) - small).mean() < 4


def test_others_at_their_size(picture):
    assert thumbnail(picture("a.png"), 96).shape == (600, 800, 3)
    assert thumbnail(picture("small.jpg"), 5000).shape == (600, 800, 3)
    boxed = ImageFile(picture("boxed.jpg").path, region=(10, 20, 40, 60))
    np.testing.assert_array_equal(thumbnail(boxed, 8), boxed.load())


def test_file_that_is_gone(tmp_path):
    with pytest.raises(ImageError, match="cannot be read"):
        thumbnail(ImageFile(tmp_path / "gone.png"), 96)
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(ImageError, match="cannot be read as an image"):
        thumbnail(ImageFile(tmp_path / "text.png"), 96)
