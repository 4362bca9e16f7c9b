"""Images of more than 8 bits: one range of values for a set, said, and part of what an image is."""

import logging

import numpy as np
import pytest
from PIL import Image

from offshelf.config import build_group, load
from offshelf.dataset import Csv, Folder, ImageFile, check_images, value_range
from offshelf.dataset.intensity_range import Extent, common_range, parse_range
from offshelf.errors import DatasetError, ImageError

TRUTH = np.linspace(0, 255, 32 * 24).reshape(24, 32).astype(np.uint8)


def written(folder, **files):
    """Values in files, by their names; as images of one folder."""
    for name, values in files.items():
        Image.fromarray(values).save(folder / f"{name}.tif")
    return [ImageFile(folder / f"{name}.tif") for name in files]


def counts(bits, kind=np.uint16):
    """The truth as a camera of some bits has it."""
    return np.rint(TRUTH / 255 * (2**bits - 1)).astype(kind)


@pytest.mark.parametrize("kind", [np.uint16, np.int32, np.float32])
@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_any_depth_in_any_number(bits, kind, tmp_path):
    """The truth comes back; a dark image of the same set stays dark."""
    bright, dark = written(tmp_path, bright=counts(bits, kind), dark=(counts(bits) // 4).astype(kind))
    check_images([bright, dark])

    assert value_range([bright, dark]) == (0, 2**bits - 1)
    assert np.abs(bright.load()[..., 0].astype(int) - TRUTH).max() <= 1
    assert np.abs(dark.load()[..., 0].astype(int) - TRUTH // 4).max() <= 1


@pytest.mark.parametrize("top", [1.0, 1.001, 0.4])
def test_fractions(top, tmp_path):
    """0 to 1, whatever they reach, with some overshoot."""
    (image,) = written(tmp_path, image=(TRUTH / 255 * top).astype(np.float32))
    check_images([image])

    assert np.abs(image.load()[..., 0].astype(int) - np.rint(TRUTH * min(top, 1))).max() <= 1


CHOICES = {
    "a camera's": ([Extent(3, 3900, False, True), Extent(0, 12, False, True)], (0, 4095)),
    "a mask": ([Extent(0, 1, False, True)], (0, 255)),
    "a mask in fractions": ([Extent(0, 1, True, True)], (0, 1)),
    "black": ([Extent(0, 0, True, True), Extent(0, 3000, True, True)], (0, 4095)),
    "a scan with values below 0": ([Extent(-1024, 3071, False, True)], (-1024, 3071)),
    "32 bits": ([Extent(70_000, 90_000, False, True)], (70_000, 90_000)),
    "fractions below 0": ([Extent(-3.5, 2.5, True, False)], (-3.5, 2.5)),
    "8 bits, resampled": ([Extent(-0.7, 255.9, True, False)], (0, 255)),
    "small numbers with a point": ([Extent(0, 3.7, True, False)], (0, 3.7)),
    "one value": ([Extent(-5, -5, False, True)], (-5, -4)),
}


@pytest.mark.parametrize("kind", CHOICES)
def test_the_rule(kind):
    """The smallest depth that holds all, fractions of 1, or all that there is."""
    extents, expected = CHOICES[kind]
    assert common_range({str(number): extent for number, extent in enumerate(extents)}) == expected


def test_two_kinds_are_not_mixed(tmp_path):
    """Both are named, with the way out."""
    images = written(tmp_path, share=(TRUTH / 255).astype(np.float32), count=counts(12))
    with pytest.raises(
        DatasetError, match=r"share\.tif from 0 to 1, .*count\.tif from 0 to 4095.*dataset\.value_range="
    ):
        check_images(images)


def test_it_is_said(tmp_path, caplog):
    """In one line; what is nearly black by it is named."""
    caplog.set_level(logging.INFO)
    check_images(written(tmp_path, bright=counts(12), dim=counts(12) // 2))
    check_images(written(tmp_path, bright=counts(16), eight=TRUTH.astype(np.uint16)))

    first, second = caplog.records
    assert "12 bits, 0 (black) to 4095 (white)" in first.message
    assert first.levelno == logging.INFO
    assert "1 of them become nearly black: " in second.message and "eight.tif" in second.message
    assert second.levelno == logging.WARNING


def test_it_is_part_of_what_an_image_is(tmp_path):
    """Another range is another image; one of 8 bits is the same under any."""
    deep, flat = written(tmp_path, deep=counts(12), flat=TRUTH)
    plain = flat.digest
    with pytest.raises(ImageError, match="their range is that of a whole set"):
        _ = deep.digest
    digests = {ImageFile(deep.path, value_range=(0, high)).digest for high in (255, 4095, 65535)}
    check_images([deep, flat])

    assert len(digests) == 3
    assert deep.digest in digests
    assert flat.digest == plain == ImageFile(flat.path, value_range=(0, 4095)).digest


def test_none_refuses_and_load_never_guesses(tmp_path):
    """An image alone does not say what its range is."""
    (image,) = written(tmp_path, image=counts(12))
    with pytest.raises(ImageError, match="range is that of a whole set"):
        image.load()
    with pytest.raises(ImageError, match="more than 8 bits per value, and no range of values is set"):
        ImageFile(image.path, value_range=None).check()


def folder_of_deep(root):
    """Two classes of 12 bits, in a folder and in a list."""
    for label in ("a", "b"):
        (root / label).mkdir(parents=True)
        for number in range(4):
            Image.fromarray(counts(12) // (number + 1)).save(root / label / f"{number}.png")
    lines = [f"{label}/{number}.png,{label}" for label in "ab" for number in range(4)]
    (root / "list.csv").write_text("\n".join(["path,label", *lines]))


@pytest.mark.parametrize("kind", ["folder", "csv"])
def test_all_kinds_of_sets_have_one_way(kind, tmp_path):
    """Settled for the set, set by the config, kept by a part of it."""
    folder_of_deep(tmp_path / "set")
    words = [f"dataset.root={tmp_path}/set"] if kind == "folder" else [f"dataset.path={tmp_path}/set/list.csv"]
    by_itself = build_group(load("classify", [f"dataset={kind}", *words]), "dataset").load()
    given = [f"dataset={kind}", *words, "dataset.value_range=[0,8190]", "dataset.max_pixels=1000"]
    by_config = build_group(load("classify", given), "dataset").load()
    check_images(by_itself.pictures)
    check_images(by_config.pictures)

    assert value_range(by_itself.pictures) == (0, 4095)
    assert value_range(by_config.pictures) == (0, 8190)
    assert by_itself.pictures[0].load().max() == 255
    assert by_config.pictures[0].load().max() == 128
    assert by_config.pictures[0].max_pixels == 1000
    part = by_itself.take(np.array([1]))
    assert part[0].image.digest == by_itself.pictures[1].digest
    assert part[0].image.load().max() == 127


@pytest.mark.parametrize("given", ["12 bits", [1], [5, 5], [0, float("inf")], [0, "x"], {"low": 0}])
def test_what_is_no_range(given):
    """Is said, with an example."""
    with pytest.raises(DatasetError, match=r"is not a range: .*\[0,4095\]"):
        parse_range(given)


def test_a_spec_takes_it():
    """In Python too; refused before anything is read."""
    for dataset in (Folder("nowhere", value_range=[3, 1]), Csv("nowhere", value_range=[3, 1])):
        with pytest.raises(DatasetError):
            dataset.load()
