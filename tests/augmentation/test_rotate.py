"""Rotation against Pillow's and SciPy's, quarter turns and hand-made pictures."""

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from offshelf.augmentation import View
from offshelf.augmentation.rotate import inscribed_side, rotate
from offshelf.backbone.preprocessing import Preprocessing

GREY = (120, 110, 100)
SCIPY = {"reflect": "mirror", "edge": "nearest", "black": "grid-constant"}


def noise(*shape):
    """Where every error shows."""
    return np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)


@pytest.mark.parametrize("shape", [(60, 90), (91, 60), (5, 5), (1, 7)])
@pytest.mark.parametrize("angle", [-130, -10, 3.5, 45])
def test_frame_is_pillows(shape, angle):
    """To the last bit, where corners are of one colour."""
    pixels = noise(*shape)
    theirs = Image.fromarray(pixels).rotate(angle, Image.Resampling.BILINEAR, fillcolor=GREY)

    assert (rotate(pixels, angle, False, "mean", GREY) == np.asarray(theirs)).all()


@pytest.mark.parametrize("fill", SCIPY)
@pytest.mark.parametrize(("height", "width"), [(60, 90), (91, 60)])
def test_filled_frame_is_scipys(fill, height, width):
    """Linear interpolation between the same pixels: at most 1 level apart, inside the image and beyond it.

    Where the corners are black the two differ along the border, in a line one pixel wide.
    """
    pixels = noise(height, width)
    ours = rotate(pixels, 20, False, fill, GREY)
    theirs = ndimage.rotate(pixels.astype(float), 20, reshape=False, order=1, mode=SCIPY[fill])
    apart = np.abs(ours - theirs).max(axis=2)

    assert np.mean(apart > 1) <= (0.05 if fill == "black" else 0)


@pytest.mark.parametrize(("height", "width"), [(60, 90), (91, 60), (50, 50)])
@pytest.mark.parametrize("angle", [5, -10, 30, 80])
def test_inscribed_is_the_middle_of_the_rotated(angle, height, width):
    """The largest frame of the same aspect without a pixel from outside: one pixel more a side, and there is one."""
    inside = np.full((height, width, 3), 255, np.uint8)
    kept = rotate(inside, angle, True, "reflect", GREY)
    side = inscribed_side(width, height, angle)

    assert kept.shape[:2] == (int(side * height), int(side * width))
    assert kept.min() == 255
    frame = np.asarray(Image.fromarray(inside).rotate(angle, Image.Resampling.BILINEAR, expand=True))
    rows, columns = int(side * height) + 3, int(side * width) + 3
    top, left = (frame.shape[0] - rows) // 2, (frame.shape[1] - columns) // 2
    assert frame[top : top + rows, left : left + columns].min() == 0


@pytest.mark.parametrize("inscribed", [True, False])
def test_quarter_turns_are_exact(inscribed):
    """Of squares all, of other images half a turn; none is none."""
    square, wide = noise(40, 40), noise(30, 47)
    for turns in range(4):
        for fill in ("reflect", "edge", "black"):
            assert (rotate(square, 90 * turns, inscribed, fill, GREY) == np.rot90(square, turns)).all()
    assert (rotate(wide, 180, inscribed, "edge", GREY) == wide[::-1, ::-1]).all()
    assert (rotate(wide, 0, inscribed, "edge", GREY) == wide).all()


def test_no_angle_is_the_plain_view():
    """And a full turn."""
    pixels, to = noise(50, 70), Preprocessing(40, 32)

    assert (View(angle=360.0, inscribed=False).apply(pixels, to) == View().apply(pixels, to)).all()


def test_positive_angles_are_counter_clockwise():
    """The right half is lit; turned by a small angle its upper end moves to the left."""
    pixels = np.zeros((40, 40, 3), np.uint8)
    pixels[:, 20:] = 255
    turned = rotate(pixels, 20, False, "edge", GREY)

    assert turned[5, 17].min() == 255
    assert turned[34, 22].max() == 0


def test_fills():
    """What shows in a corner: white reflected, the white border continued, black, the network's mean colour."""
    pixels = np.full((50, 50, 3), 255, np.uint8)
    to = Preprocessing(resize=50, crop=50, mean=(0.2, 0.4, 0.6))
    corners = {
        fill: View(fit="whole", angle=45, fill=fill, inscribed=False).apply(pixels, to)[0, 0].tolist()
        for fill in ("reflect", "edge", "black", "mean")
    }

    assert corners == {"reflect": [255] * 3, "edge": [255] * 3, "black": [0] * 3, "mean": [51, 102, 153]}


def test_a_strip_is_rotated_at_its_middle():
    """30,000 x 2 pixels need no gigabytes for their corners."""
    pixels = np.full((2, 30000, 3), 200, np.uint8)
    for inscribed in (True, False):
        seen = View(fit="whole", angle=45, fill="edge", inscribed=inscribed).apply(pixels, Preprocessing(32, 32))
        assert seen.shape == (32, 32, 3)
        assert seen.min() == 200
