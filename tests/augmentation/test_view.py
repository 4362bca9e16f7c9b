"""Views against torchvision's transforms and hand-made pictures."""

import numpy as np
import pytest
import torch
from PIL import Image

from offshelf.augmentation import View, Views, center, five_crop, mirror, ten_crop, whole
from offshelf.augmentation.resize import resize
from offshelf.backbone.preprocessing import Preprocessing
from offshelf.errors import ConfigError
from offshelf.torchvision_import import import_torchvision


@pytest.mark.parametrize("shape", [(300, 200), (200, 300), (224, 224), (8, 8), (257, 511), (1, 9)])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_center_is_torchvisions(shape, interpolation):
    """What Resize and CenterCrop give on PIL images: at most 2 levels apart, on average less than 0.02."""
    import_torchvision()
    from torchvision.transforms import CenterCrop, InterpolationMode, Resize

    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    ours = View().apply(pixels, Preprocessing(resize=96, crop=64, interpolation=interpolation))
    resized = Resize(96, InterpolationMode(interpolation))(Image.fromarray(pixels))

    apart = np.abs(ours.astype(int) - np.asarray(CenterCrop(64)(resized)))
    assert apart.max() <= 2
    assert apart.mean() < 0.02


@pytest.mark.parametrize("interpolation", ["nearest", "lanczos"])
def test_what_pytorch_has_not_is_pillows(interpolation):
    """The other filters, exactly."""
    pixels = np.random.default_rng(0).integers(0, 256, (90, 70, 3), dtype=np.uint8)
    how = Image.Resampling[interpolation.upper()]

    assert (resize(pixels, 40, 50, interpolation) == np.asarray(Image.fromarray(pixels).resize((40, 50), how))).all()


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "lanczos", "nearest"])
@pytest.mark.parametrize("shape", [(375, 500), (90, 64), (80, 80), (7, 300), (1, 1), (900, 1200), (9000, 40)])
def test_views_made_on_a_device_have_the_same_pixels(shape, interpolation):
    """To the last bit, of noise in black and white, where every rounding shows: they go by the same name."""
    pixels = np.random.default_rng(0).integers(0, 2, (*shape, 3), dtype=np.uint8) * 255
    preprocessing = Preprocessing(resize=96, crop=80, interpolation=interpolation)
    tensor = torch.from_numpy(pixels)
    for view in (View(), View(mirror=True), View(box=(0.1, 0.2, 0.9, 0.7), fit="whole"), *ten_crop().views[3:7]):
        assert (view.apply(tensor, preprocessing).numpy() == view.apply(pixels, preprocessing)).all(), view


def test_sums_on_a_device_stay_exact():
    """What is too large for that goes the CPU's way."""
    from offshelf.augmentation.device import MOST_TAPS, fixed_point, resizes

    assert resizes((8000, 8000, 3), 224, 224, "bicubic")
    assert not resizes((30000, 30000, 3), 224, 224, "bicubic")
    for size in (100, 1000, 8000):
        weights, bits = fixed_point(size, 224, "bicubic")
        assert (weights != 0).sum(axis=1).max() <= MOST_TAPS
        assert 255 * np.abs(weights >> 8).sum(axis=1).max() < 2**24
        assert 255 * (weights & 255).sum(axis=1).max() < 2**24
        assert 255 * np.abs(weights).sum(axis=1).max() < 2**31
        assert np.abs(weights.sum(axis=1) / 2**bits - 1).max() < 1e-3


def test_a_strip_is_seen_at_its_middle():
    """30,000 x 2 pixels need no 3 GB; the middle is what is seen."""
    pixels = np.zeros((2, 30000, 3), np.uint8)
    pixels[:, 14990:15010] = 200

    assert View().apply(pixels, Preprocessing(256, 224))[:, 100:124].min() > 150


def test_a_crop_larger_than_the_image_is_black_outside():
    """As torchvision pads."""
    seen = View().apply(np.full((10, 10, 3), 255, np.uint8), Preprocessing(resize=8, crop=12))

    assert seen.shape == (12, 12, 3)
    assert (seen[2:10, 2:10] == 255).all()
    assert seen.sum() == 64 * 3 * 255


def test_whole_keeps_the_borders():
    """A one-pixel frame survives warping, and not the centre crop."""
    pixels = np.zeros((40, 80, 3), np.uint8)
    pixels[:, 0] = 255
    to = Preprocessing(resize=40, crop=40)

    assert View(fit="whole").apply(pixels, to).any()
    assert not View().apply(pixels, to).any()


def test_mirror_is_the_mirror():
    """The second view is the first, flipped."""
    pixels = np.random.default_rng(0).integers(0, 256, (50, 60, 3), dtype=np.uint8)
    plain, flipped = (view.apply(pixels, Preprocessing(32, 32)) for view in mirror().views)

    assert (plain[:, ::-1] == flipped).all()


def test_five_crops_are_four_ninths_of_the_area():
    """Corners and centre, side 2/3, together covering the image."""
    boxes = np.array([view.box for view in five_crop().views])
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])

    assert areas == pytest.approx([4 / 9] * 5)
    assert boxes.min() == 0
    assert boxes.max() == pytest.approx(1)


def test_counts():
    """Numbers of views."""
    assert [len(views().views) for views in (center, whole, mirror, five_crop, ten_crop)] == [1, 1, 2, 5, 10]


def test_views_from_yaml():
    """Mappings become views; surplus fields, repeats and empty lists are refused."""
    assert Views([{"box": [0, 0, 0.5, 0.5], "mirror": True}]).views == (View((0, 0, 0.5, 0.5), mirror=True),)
    for bad in ([], [{"angle": 3}], [{}, {}]):
        with pytest.raises(ConfigError):
            Views(bad)
