"""Images as a person expects them, of every kind; damaged ones with a sentence."""

import io

import numpy as np
import pytest
from PIL import Image

from offshelf.dataset import ImageArray, ImageFile, check_images
from offshelf.dataset.image import parse_colour
from offshelf.errors import ImageError

PICTURE = np.zeros((6, 4, 3), np.uint8)
PICTURE[0] = (200, 40, 10)  # the top row is red
PICTURE[:, 0, 2] = 250  # the left column is blue


def saved(tmp_path, image, name="x.png", **options):
    """The image in a file."""
    image.save(tmp_path / name, **options)
    return ImageFile(tmp_path / name)


def test_rgb(tmp_path):
    """As it is."""
    assert (saved(tmp_path, Image.fromarray(PICTURE)).load() == PICTURE).all()


@pytest.mark.parametrize(
    ("orientation", "turn"),
    [
        (1, lambda upright: upright),
        (2, lambda upright: upright[:, ::-1]),
        (3, lambda upright: upright[::-1, ::-1]),
        (4, lambda upright: upright[::-1]),
        (5, lambda upright: upright.transpose(1, 0, 2)),
        (6, lambda upright: np.rot90(upright, 1)),
        (7, lambda upright: upright[::-1, ::-1].transpose(1, 0, 2)),
        (8, lambda upright: np.rot90(upright, -1)),
    ],
)
@pytest.mark.parametrize("name", ["x.png", "x.tiff", "x.webp"])
def test_exif_orientation(tmp_path, orientation, turn, name):
    """Stored as the camera held it, read upright."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if name.endswith("webp") else {}
    stored = Image.fromarray(np.ascontiguousarray(turn(PICTURE)))

    assert (saved(tmp_path, stored, name, exif=exif, **options).load() == PICTURE).all()


def test_alpha_is_laid_on_the_background(tmp_path):
    """White unless said; half transparent is half of each."""
    pixels = np.dstack([PICTURE, np.full((6, 4), 255, np.uint8)])
    pixels[0, 0, 3], pixels[1, 1] = 0, (0, 0, 0, 128)
    file = saved(tmp_path, Image.fromarray(pixels, "RGBA"))
    red = ImageFile(file.path, background=(255, 0, 0))

    assert file.load()[0, 0].tolist() == [255, 255, 255]
    assert abs(int(file.load()[1, 1, 0]) - 127) <= 1
    assert red.load()[0, 0].tolist() == [255, 0, 0]
    assert red.digest != file.digest


def test_palette_with_transparency(tmp_path):
    """The transparent colour shows the background."""
    image = Image.fromarray(np.array([[0, 1]], np.uint8), "P")
    image.putpalette([255, 0, 0, 0, 255, 0])

    assert saved(tmp_path, image, transparency=0).load().tolist() == [[[255, 255, 255], [0, 255, 0]]]


@pytest.mark.parametrize(
    ("mode", "values", "expected"),
    [
        ("L", np.array([[0, 100, 255]], np.uint8), [0, 100, 255]),
        ("I;16", np.array([[0, 25700, 65535]], np.uint16), [0, 100, 255]),
        ("F", np.array([[0.0, 0.4, 1.0]], np.float32), [0, 102, 255]),
        ("1", np.array([[0, 255, 255]], np.uint8), [0, 255, 255]),
    ],
)
def test_greys_of_every_depth(tmp_path, mode, values, expected):
    """Scaled to 8 bits, not cut off."""
    image = Image.fromarray(values).convert("1") if mode == "1" else Image.fromarray(values)
    file = saved(tmp_path, image, "x.tiff")
    check_images([file])
    loaded = file.load()

    assert loaded.shape == (1, 3, 3)
    assert loaded[0, :, 0].tolist() == expected


def test_grey_with_alpha(tmp_path):
    """LA."""
    pixels = np.array([[[10, 255], [10, 0]]], np.uint8)

    assert saved(tmp_path, Image.fromarray(pixels, "LA")).load()[0, :, 0].tolist() == [10, 255]


def test_cmyk(tmp_path):
    """Red stays red."""
    image = Image.new("RGB", (16, 16), (220, 30, 30)).convert("CMYK")

    assert np.abs(saved(tmp_path, image, "x.jpg", quality=100).load()[8, 8].astype(int) - (220, 30, 30)).max() <= 6


@pytest.mark.parametrize("name", ["x.gif", "x.webp", "x.png"])
def test_animation_is_its_first_frame(tmp_path, name):
    """Of three."""
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "lime", "blue")]
    file = saved(tmp_path, frames[0], name, save_all=True, append_images=frames[1:], lossless=True)

    assert np.abs(file.load()[4, 4].astype(int) - (255, 0, 0)).max() <= 4


@pytest.mark.parametrize("kind", ["GIF", "BMP", "TIFF", "WEBP", "PPM", "JPEG"])
def test_content_counts_and_not_the_name(tmp_path, kind):
    """Anything named .jpg."""
    Image.fromarray(PICTURE).save(tmp_path / "x.jpg", kind)

    assert ImageFile(tmp_path / "x.jpg").load().shape == (6, 4, 3)


def jpeg():
    """Bytes of a JPEG with texture."""
    buffer = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(buffer, "JPEG")
    return buffer.getvalue()


@pytest.mark.parametrize("content", [b"", b"hello", jpeg()[:10], jpeg()[: len(jpeg()) // 4], jpeg()[:-200]])
def test_damaged_files(tmp_path, content):
    """The name and the reason."""
    (tmp_path / "bad.jpg").write_bytes(content)
    with pytest.raises(ImageError, match=r"bad\.jpg cannot be read as an image: .+\."):
        ImageFile(tmp_path / "bad.jpg").load()


def test_missing_file_and_folder(tmp_path):
    """No traceback of the system's."""
    (tmp_path / "folder.jpg").mkdir()
    for name, reason in (("none.jpg", "No such file"), ("folder.jpg", "Is a directory")):
        with pytest.raises(ImageError, match=f"{name} cannot be read: {reason}"):
            _ = ImageFile(tmp_path / name).digest


def test_decompression_bomb(tmp_path):
    """More pixels than is safe are refused from the header."""
    file = saved(tmp_path, Image.new("1", (400, 400)))
    large = ImageFile(file.path, max_pixels=1000)
    with pytest.raises(ImageError, match="more than is safe"):
        large.check()


def test_region(tmp_path):
    """x1, y1, x2, y2 in pixels, cut to the image; another identity."""
    whole = saved(tmp_path, Image.fromarray(PICTURE))
    part = ImageFile(whole.path, region=(-2, 0, 2, 3))

    assert (part.load() == PICTURE[:3, :2]).all()
    assert part.digest != whole.digest
    with pytest.raises(ImageError, match="has no pixel"):
        ImageFile(whole.path, region=(5, 0, 9, 3)).load()


def test_digest_is_of_content(tmp_path):
    """Not of the path; not of time."""
    first = saved(tmp_path, Image.fromarray(PICTURE), "a.png")
    second = saved(tmp_path, Image.fromarray(PICTURE), "b.png")
    other = saved(tmp_path, Image.fromarray(PICTURE[::-1].copy()), "c.png")

    assert first.digest == second.digest != other.digest


def test_all_bad_files_are_listed_at_once(tmp_path):
    """Before any long work."""
    good = saved(tmp_path, Image.fromarray(PICTURE))
    (tmp_path / "text.jpg").write_text("hello")
    images = [good, ImageFile(tmp_path / "text.jpg"), ImageFile(tmp_path / "gone.jpg"), ImageArray(PICTURE)]
    with pytest.raises(ImageError, match=r"2 image.s. cannot be used.*on_error=skip") as error:
        check_images(images)

    assert "text.jpg" in str(error.value)
    assert "gone.jpg" in str(error.value)
    assert error.value.faults.keys() == {1, 2}


def test_a_file_that_changes_in_between_is_refused(tmp_path):
    """Its digest was taken of other bytes: its features would go by a wrong name."""
    file = saved(tmp_path, Image.fromarray(PICTURE))
    file.check()
    saved(tmp_path, Image.fromarray(PICTURE[::-1].copy()))
    with pytest.raises(ImageError, match=r"x\.png was changed while it was in use"):
        file.load()


def test_colours():
    """Names, codes, numbers; nothing else."""
    assert parse_colour("black") == parse_colour("#000000") == parse_colour([0, 0, 0]) == (0, 0, 0)
    for bad in ("blakc", [1, 2], ["a", 1, 2], [300, 0, 0], [0, -1, 0], None, 5, [float("inf"), 0, 0]):
        with pytest.raises(ImageError, match="is not a colour"):
            parse_colour(bad)
