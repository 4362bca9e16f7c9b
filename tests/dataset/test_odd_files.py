"""What Pillow takes otherwise than the file means it: sizes of TIFFs on their side, transparent greys of few bits."""

import io
import struct
import zlib

import numpy as np
import pytest
import tifffile

from offshelf.dataset import Folder, ImageFile
from offshelf.dataset.decode import decode, upright_size_of

ORIENTATION = 274
GREY, RGB = 0, 2
BLUE = (9, 9, 200)


def chunk(name, data):
    """A chunk of a PNG."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(values, bits, kind, key):
    """A PNG of values [H, W] or [H, W, 3] of so many bits, of which those of `key` are transparent."""
    height, width = values.shape[:2]
    planes = np.unpackbits(values.reshape(height, -1, 1).astype(np.uint8), axis=2)[..., 8 - bits :]
    rows = b"".join(b"\0" + np.packbits(row).tobytes() for row in planes.reshape(height, -1))
    header = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)
    key = b"".join(struct.pack(">H", value) for value in key)
    chunks = chunk(b"IHDR", header) + chunk(b"tRNS", key) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_size_of_a_tiff_on_its_side_is_that_of_its_pixels(orientation, dtype):
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(dtype)
    file = io.BytesIO()
    tifffile.imwrite(file, pixels, photometric="rgb", extratags=[(ORIENTATION, "H", 1, orientation, True)])
    height, width = decode(file.getvalue(), BLUE).shape[:2]
    assert upright_size_of(file.getvalue()) == (width, height) == ((20, 30) if orientation >= 5 else (30, 20))


@pytest.mark.parametrize(("bits", "high"), [(1, 0), (2, 0), (4, 0), (8, 0), (4, 0x1230), (8, 0x1200)])
def test_a_grey_of_few_bits_is_transparent(bits, high):
    white = (1 << bits) - 1
    values = np.random.default_rng(0).integers(0, white + 1, (15, 24))
    for key in {0, white // 2, white}:
        expected = np.repeat(values[..., None] * 255 // white, 3, axis=2).astype(np.uint8)
        expected[values == key] = BLUE
        np.testing.assert_array_equal(decode(png(values, bits, GREY, [high + key]), BLUE), expected)


def test_of_a_transparent_colour_the_lowest_bits_count():
    values = np.random.default_rng(0).integers(0, 256, (15, 24, 3))
    expected = values.astype(np.uint8)
    expected[3, 4] = BLUE
    key = [0x100 + int(value) for value in values[3, 4]]
    np.testing.assert_array_equal(decode(png(values, 8, RGB, key), BLUE), expected)


@pytest.mark.parametrize("name", ["depth.pfm", "depth"])
def test_a_portable_float_map_is_an_image_of_a_folder(name, tmp_path):
    """By its name and by its content, from the lowest row to the highest."""
    values = np.random.default_rng(0).random((6, 8)).astype("<f4")
    for label in ("near", "far"):
        (tmp_path / label).mkdir()
        (tmp_path / label / "other.png").write_bytes(png(np.zeros((8, 8)), 8, GREY, [1]))
        (tmp_path / label / name).write_bytes(b"Pf\n8 6\n-1.0\n" + values[::-1].tobytes())
    images = Folder(str(tmp_path), test_fraction=0.5).load().samples
    assert {f"far/{name}", f"near/{name}"} < {sample.id for sample in images}
    expected = np.repeat((values * 255).round()[..., None], 3, axis=2)
    np.testing.assert_array_equal(ImageFile(tmp_path / "far" / name, value_range=(0.0, 1.0)).load(), expected)
