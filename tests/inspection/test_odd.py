"""Odd images: of each kind one that is made so, beside ordinary pictures that are not."""

import numpy as np
import photographs
import pytest
from PIL import Image, ImageEnhance, ImageFilter

from offshelf.dataset import ImageArray, ImageFile
from offshelf.duplicates import NearSearch
from offshelf.inspection.odd import OddImages
from offshelf.inspection.pixels import PixelStatistics, measure


def pictures():
    return [photographs.photograph(kind, number) for kind in photographs.CLASSES for number in range(8)]


def on_white(one):
    """A small picture on a white page."""
    page = Image.new("RGB", one.size, "white")
    page.paste(one.resize((30, 22)), (20, 20))
    return page


ODD = {
    "one colour": lambda one: Image.new("RGB", one.size, (90, 120, 60)),
    "dark": lambda one: ImageEnhance.Brightness(one).enhance(0.1),
    "light": lambda one: on_white(one),
    "blurred": lambda one: one.filter(ImageFilter.GaussianBlur(8)),
    "tiny": lambda one: one.resize((20, 15)),
    "narrow": lambda one: one.crop((0, 0, 30, 120)),
}


def odd(images):
    statistics = PixelStatistics.of([ImageArray(np.array(one)) for one in images])
    neighbours = NearSearch(np.random.default_rng(0).normal(size=(len(images), 1, 6)), "cpu").neighbours(10)
    return OddImages.of(neighbours, 8, statistics)


@pytest.mark.parametrize("kind", ODD)
def test_each_kind(kind):
    """It alone is found, and is of this kind alone."""
    images = pictures()
    images[5] = ODD[kind](images[5])
    found = odd(images)

    assert np.flatnonzero(found.by_kind[kind] > 0).tolist() == [5]
    assert [one for one in found.kinds(5) if one != "far"] == [kind]


def test_ordinary_pictures():
    """None is odd by its pixels."""
    found = odd(pictures())

    assert {kind: int((values > 0).sum()) for kind, values in found.by_kind.items() if kind != "far"} == dict.fromkeys(
        ("one colour", "dark", "light", "blurred", "tiny", "narrow"), 0
    )


def test_what_most_images_are_is_not_odd():
    """A set of narrow crops, one of which is dark."""
    images = [ODD["narrow"](one) for one in pictures()]
    images[5] = ODD["dark"](images[5])
    found = odd(images)

    assert found.prevalent["narrow"] == len(images)
    assert [kind for kind in found.kinds(5) if kind != "far"] == ["dark"]


def test_far_from_every_class():
    """Among clouds of three classes, an image in another direction is the oddest; copies of each other are near."""
    rng = np.random.default_rng(0)
    values = np.repeat(3 * np.eye(12)[:3], 20, axis=0) + rng.normal(0, 0.2, (60, 12))
    values[30] = 3 * np.eye(12)[7]
    found = OddImages.of(NearSearch(values[:, None], "cpu").neighbours(10), 20, None)

    assert found.order[0] == 30
    assert found.kinds(30) == ["far"]


def test_statistics_by_hand():
    """Half black and half white: brightness from 0 to 1, and no colour that all have."""
    pixels = np.zeros((20, 10, 3), np.uint8)
    pixels[:, 5:] = 255
    bright, dim, even, sharp = measure(pixels)

    assert (bright, dim) == pytest.approx((1, 0))
    assert even <= 0.5
    grey = pixels[..., 0].astype(float)
    laplacian = [
        [grey[y - 1, x] + grey[y + 1, x] + grey[y, x - 1] + grey[y, x + 1] - 4 * grey[y, x] for x in range(1, 9)]
        for y in range(1, 19)
    ]
    assert sharp == pytest.approx(np.var(laplacian) / np.var(grey), rel=1e-5)


def test_size_is_that_of_the_file(tmp_path):
    """Although a large JPEG is decoded at a fraction of it; so is the size of one that lies on its side."""
    file = tmp_path / "large.jpg"
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.new("RGB", (900, 600), (200, 30, 30)).save(file, exif=turned)
    found = PixelStatistics.of([ImageFile(file)])

    assert (found.width.tolist(), found.height.tolist()) == ([600], [900])
    assert found.even.tolist() == [1]
