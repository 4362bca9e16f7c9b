"""Views against torchvision's transforms and hand-made pictures."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from offshelf.augmentation import (
    View,
    Views,
    center,
    five_crop,
    jitter8,
    jitter16,
    look,
    mirror,
    multi_scale,
    square,
    ten_crop,
    whole,
)
from offshelf.augmentation.resize import resize
from offshelf.backbone.preprocessing import Preprocessing
from offshelf.backbone.torchvision_import import import_torchvision
from offshelf.errors import ConfigError
from offshelf.identity import digest


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
    odd = View((0.1, 0.2, 0.9, 0.7), "square", angle=30, fill="mean", inscribed=False)
    around = View((0.1, 0.2, 0.9, 0.3), "enclosing", fill="mean")
    for view in (
        View(),
        View(mirror=True),
        View(box=(0.1, 0.2, 0.9, 0.7), fit="whole"),
        odd,
        around,
        *jitter16().views[4:10],
    ):
        assert (view.apply(tensor, preprocessing).numpy() == view.apply(pixels, preprocessing)).all(), view


def test_sums_on_a_device_stay_exact():
    """What is too large for that goes the CPU's way."""
    from offshelf.augmentation.resize_on_device import MOST_TAPS, fixed_point, resizes

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


def test_square_is_all_of_the_centre():
    """The middle columns of a wide image; `center` loses their border."""
    pixels = np.random.default_rng(0).integers(0, 256, (40, 80, 3), dtype=np.uint8)
    to = Preprocessing(resize=50, crop=40)

    assert (View(fit="square").apply(pixels, to) == pixels[:, 20:60]).all()
    assert not (View().apply(pixels, to) == pixels[:, 20:60]).all()


def test_mirror_images_are_not_made_again(monkeypatch):
    """Sixteen views take eight, and are what each gives alone."""
    pixels = np.random.default_rng(0).integers(0, 256, (50, 60, 3), dtype=np.uint8)
    to, views = Preprocessing(32, 32), jitter16().views
    alone = [view.apply(pixels, to) for view in views]
    made, apply = [], View.apply
    monkeypatch.setattr(View, "apply", lambda self, *rest: made.append(self) or apply(self, *rest))

    assert np.array_equal(np.stack(look(pixels, views, to)), np.stack(alone))
    assert len(made) == 8


def test_jitter_is_the_papers():
    """The image, five crops, two rotations; then their mirror images, in the same order."""
    views = jitter16().views

    assert views[:8] == jitter8().views
    assert views[8:] == tuple(replace(view, mirror=True) for view in views[:8])
    assert views[0] == whole().views[0]
    assert views[1:6] == five_crop().views
    assert [view.angle for view in views[:8]] == [0, 0, 0, 0, 0, 0, 10, -10]
    assert {view.fit for view in jitter16(fit="square").views} == {"square"}
    assert jitter16(angle=7, fill="edge", inscribed=False).views[7] == View(
        fit="whole", angle=-7, fill="edge", inscribed=False
    )
    with pytest.raises(ConfigError, match="same view twice"):
        jitter16(angle=0)


def test_counts():
    """Numbers of views."""
    lists = (center, whole, square, mirror, five_crop, ten_crop, jitter8, jitter16)

    assert [len(views().views) for views in lists] == [1, 1, 1, 2, 5, 10, 8, 16]


def test_views_that_show_the_same_are_one():
    """One key: no angle makes fill and inscribed void, and whole numbers are numbers."""
    same = [
        (View(), View(angle=-360, fill="black", inscribed=False), View((0, 0, 1, 1))),
        (View(angle=10), View(angle=370.0, fill="edge")),
        (View(angle=180), View(angle=-180)),
    ]
    for views in same:
        assert len({digest(view) for view in views}) == len(set(views)) == 1
    assert len({digest(group[0]) for group in same}) == 3


def test_views_from_yaml():
    """Mappings become views; repeats and empty lists are refused."""
    assert Views([{"box": [0, 0, 0.5, 0.5], "mirror": True}]).views == (View((0, 0, 0.5, 0.5), mirror=True),)
    assert Views([{"fit": "whole", "angle": 5, "fill": "edge", "inscribed": False}]).views == (
        View(fit="whole", angle=5, fill="edge", inscribed=False),
    )
    for bad in ([], [{}, {}]):
        with pytest.raises(ConfigError):
            Views(bad)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"angel": 3}, "A view has no field 'angel'; did you mean 'angle'?"),
        ({"fit": "sqare"}, "A view's fit cannot be 'sqare'; did you mean 'square'?"),
        ({"angle": 3, "fill": "mirror"}, "A view's fill cannot be 'mirror'. There are: reflect, edge, black, mean."),
        ({"angle": "3"}, "A view's angle must be a number of degrees; got '3'."),
        ({"angle": float("nan")}, "got nan"),
        ({"mirror": "yes"}, "A view's mirror must be true or false; got 'yes'."),
        ({"box": [0, 0, 2, 1]}, "fractions of the image's width and height from 0 to 1"),
        ({"box": [0, 0, 1]}, "got [0, 0, 1]"),
        ("whole", "A view must be a mapping of fields"),
    ],
)
def test_fields_that_do_not_fit(fields, sentence):
    """One sentence, with the way out."""
    with pytest.raises(ConfigError) as error:
        Views([fields])

    assert sentence in str(error.value)


def test_views_have_names_of_their_own():
    """What the user reads tells them apart."""
    views = [*jitter16().views, *jitter16(inscribed=False).views[6:8], square().views[0], View(angle=10)]

    assert len({str(view) for view in views}) == len(views) == 20
    assert str(jitter16(inscribed=False).views[-1]) == "whole rotated -10° reflect mirrored"


@pytest.mark.parametrize("fit", ["center", "whole", "square", "enclosing"])
def test_scale_is_another_size_of_the_input(fit):
    """What a network trained on that size sees; of plain size nothing changes, and the name says it."""
    pixels = np.random.default_rng(0).integers(0, 256, (90, 70, 3), dtype=np.uint8)
    larger = View(fit=fit, scale=1.5).apply(pixels, Preprocessing(resize=64, crop=48))

    assert (larger == View(fit=fit).apply(pixels, Preprocessing(resize=96, crop=72))).all()
    assert str(View(fit=fit, scale=1.5)) == f"{View(fit=fit)} x 1.5"
    assert View(scale=1) == View()


def test_multi_scale():
    """A plain view first, then the same √2 larger and smaller."""
    sides = [view.apply(np.zeros((9, 9, 3), np.uint8), Preprocessing(crop=100)).shape for view in multi_scale().views]

    assert sides == [(100, 100, 3), (141, 141, 3), (71, 71, 3)]


@pytest.mark.parametrize("scale", [0, -1, 9, True, "large", float("nan")])
def test_wrong_scale(scale):
    """One sentence."""
    with pytest.raises(ConfigError, match="scale must be a number above 0 and at most 8"):
        View(scale=scale)
