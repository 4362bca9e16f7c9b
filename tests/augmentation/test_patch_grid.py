"""The patches of spatial search: their geometry against the paper's words, their pixels against numpy.pad."""

import numpy as np
import pytest
import torch

from offshelf.augmentation import PatchGrid, View, Views, five_crop, whole
from offshelf.backbone.preprocessing import Preprocessing
from offshelf.errors import ConfigError

MEAN = Preprocessing(40, 40, mean=(0.2, 0.4, 0.6))
PADDED = {"reflect": "reflect", "edge": "edge", "black": "constant"}


def test_counts_are_the_papers():
    """30 patches of a reference, 14 of a query, which are the reference's first."""
    grid = PatchGrid()

    assert len(set(grid.views)) == 30
    assert grid.query_views == grid.views[:14]
    assert [len(PatchGrid(levels=h).views) for h in (1, 2, 3)] == [1, 5, 14]
    assert whole().query_views == whole().views


def test_level_2_are_the_papers_crops():
    """The corners of `five_crop`, 4/9 of the area."""
    boxes = {tuple(np.round(view.box, 9)) for view in PatchGrid(levels=2).views[1:]}

    assert boxes == {tuple(np.round(view.box, 9)) for view in five_crop().views[:4]}


@pytest.mark.parametrize("overlap", [0, 0.25, 0.5, 0.8])
def test_each_level_covers_the_image_in_equal_patches(overlap):
    """From border to border, without gaps, neighbours sharing as much as was asked for."""
    views = PatchGrid(levels=4, overlap=overlap).views
    for level, start in ((2, 1), (3, 5), (4, 14)):
        boxes = np.array([view.box for view in views[start : start + level * level]])
        sides = boxes[:, 2:] - boxes[:, :2]
        row = boxes[:level]

        assert sides == pytest.approx(np.full_like(sides, sides[0, 0]))
        assert row[0, 0] == 0
        assert row[-1, 2] == 1
        assert row[:-1, 2] - row[1:, 0] == pytest.approx(overlap * sides[0, 0], abs=1e-9)


@pytest.mark.parametrize("kind", [np.asarray, torch.from_numpy])
@pytest.mark.parametrize("fill", ["reflect", "edge", "black"])
@pytest.mark.parametrize("shape", [(10, 40), (40, 26), (39, 40), (1, 40), (40, 40)])
def test_beyond_the_image_it_is_filled(shape, fill, kind):
    """As numpy.pad does, in equal parts on both sides."""
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    lacking = [(40 - length) // 2 for length in shape]
    pads = [(before, 40 - length - before) for before, length in zip(lacking, shape, strict=True)]
    expected = np.pad(pixels, [*pads, (0, 0)], mode=PADDED[fill])

    assert (np.asarray(View(fit="enclosing", fill=fill).apply(kind(pixels), MEAN)) == expected).all()


def test_mean_fill():
    """The network's mean colour."""
    seen = View(fit="enclosing", fill="mean").apply(np.zeros((20, 40, 3), np.uint8), MEAN)

    assert (seen[:10] == (51, 102, 153)).all()
    assert not seen[10:30].any()


@pytest.mark.parametrize(
    ("box", "rows", "columns"),
    [
        ((0, 0, 0.2, 0.8), (0, 40), (0, 40)),  # 20 x 40 at the left border: grows to the right
        ((0.8, 0.2, 1, 1), (10, 50), (60, 100)),  # at the right: to the left
        ((0.5, 0.2, 0.6, 1), (10, 50), (35, 75)),  # inside: in equal parts
        ((0.1, 0.4, 0.5, 0.6), (5, 45), (10, 50)),  # wide: up and down
        ((0.1, 0.8, 0.5, 1), (10, 50), (10, 50)),  # wide, at the lower border
    ],
)
def test_a_square_takes_in_what_is_beside_the_region(box, rows, columns):
    """And stays in the image of 100 x 50."""
    pixels = np.random.default_rng(0).integers(0, 256, (50, 100, 3), dtype=np.uint8)
    seen = View(box, fit="enclosing").apply(pixels, MEAN)

    assert (seen == pixels[slice(*rows), slice(*columns)]).all()


def test_nothing_is_warped():
    """A disc stays one, at any aspect ratio of the image."""
    rows, columns = np.mgrid[:60, :160]
    disc = ((rows - 30) ** 2 + (columns - 80) ** 2 < 15**2).astype(np.uint8) * 255
    for view in (View(fit="enclosing", fill="black"), View((0.4, 0, 0.6, 1), fit="enclosing", fill="black")):
        seen = view.apply(np.repeat(disc[..., None], 3, axis=2), Preprocessing(80, 80))[..., 0] > 127
        height, width = seen.any(axis=1).sum(), seen.any(axis=0).sum()
        assert abs(int(height) - int(width)) <= 1
        assert height > 10


def test_fill_counts_only_where_it_shows():
    """A mirror image and a turned one keep it; the names tell the views apart."""
    views = [View(fit="enclosing", fill=fill) for fill in ("reflect", "edge", "black", "mean")]
    turned = [View(fit="enclosing", angle=10), View(fit="enclosing", angle=10, inscribed=False)]

    assert len({str(view) for view in Views([*views, *turned]).views}) == 6
    assert View(fill="black") == View()


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"levels": 0}, "augmentation.levels must be a whole number of at least 1; got 0."),
        ({"query_levels": 1.5}, "augmentation.query_levels must be a whole number of at least 1; got 1.5."),
        ({"overlap": 1}, "augmentation.overlap must be a share of a patch's side, from 0 to below 1; got 1."),
        ({"fill": "blak"}, "augmentation.fill cannot be 'blak'; did you mean 'black'?"),
    ],
)
def test_fields_that_do_not_fit(fields, sentence):
    """One sentence, with the way out."""
    with pytest.raises(ConfigError) as error:
        PatchGrid(**fields)

    assert sentence == str(error.value)
