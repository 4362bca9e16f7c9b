"""Photos of phones: read where pillow-heif is installed, and one sentence where it is not."""

import io
import sys

import numpy as np
import pytest
from PIL import Image

from offshelf.dataset import Folder, ImageBytes, ImageFile, check_images
from offshelf.dataset.kind import why_no_image
from offshelf.errors import BadImagesError, ImageError

HEAD = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"


@pytest.mark.parametrize("name", ["x.heic", "x.HEIF", "photo"])
def test_without_the_extra(name, tmp_path, monkeypatch):
    """It is an image of the set, so that the run stops, and says what to install."""
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    monkeypatch.setitem(sys.modules, "pillow_heif.as_plugin", None)
    for number in range(4):
        file = tmp_path / "ab"[number % 2] / f"{number}.png"
        file.parent.mkdir(exist_ok=True)
        Image.new("RGB", (4, 4), (number, 0, 0)).save(file)
    (tmp_path / "a" / name).write_bytes(HEAD)
    images = Folder(str(tmp_path)).unsplit()

    assert len(images.samples) == 5
    with pytest.raises(BadImagesError, match=r"it is HEIC.*pip install 'offshelf\[heic\]'"):
        check_images(images.pictures)
    with pytest.raises(ImageError, match="it is HEIC"):
        ImageBytes(HEAD).load()


@pytest.mark.parametrize("brand", [b"heic", b"heix", b"hevc", b"mif1", b"avif"])
def test_recognised_by_content(brand, tmp_path):
    """Whatever the name."""
    (tmp_path / "x").write_bytes(b"\0\0\0\x18ftyp" + brand + bytes(52))

    assert why_no_image(str(tmp_path / "x")) == ""


def test_pixels_and_damage(tmp_path):
    """Those that pillow-heif itself gives; half a file is refused."""
    heif = pytest.importorskip("pillow_heif", reason="offshelf[heic] is not installed")
    smooth = Image.fromarray(np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)).resize((96, 64))
    file = io.BytesIO()
    heif.from_pillow(smooth).save(file, quality=95)
    (tmp_path / "x.heic").write_bytes(file.getvalue())
    theirs = np.asarray(heif.open_heif(io.BytesIO(file.getvalue())).to_pillow().convert("RGB"))

    assert (ImageFile(tmp_path / "x.heic").load() == theirs).all()
    assert np.abs(theirs.astype(int) - np.asarray(smooth)).mean() < 8
    (tmp_path / "cut.heic").write_bytes(file.getvalue()[: len(file.getvalue()) // 2])
    with pytest.raises(ImageError, match=r"cut\.heic cannot be read"):
        ImageFile(tmp_path / "cut.heic").load()
