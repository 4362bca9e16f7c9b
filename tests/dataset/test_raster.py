"""What is opened at all: raster formats alone, by content, in memory that is in proportion to the file."""

import io
import re
import resource
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import offshelf
from offshelf.dataset import ImageBytes, ImageFile, check_images
from offshelf.dataset.decode import DecodeError, check, decode
from offshelf.dataset.raster import FORMATS, format_of
from offshelf.errors import BadImagesError, ImageError

WHITE = (255, 255, 255)
PICTURE = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)


def saved(kind, **options):
    """A picture's bytes in a format."""
    file = io.BytesIO()
    Image.fromarray(PICTURE).save(file, kind, **options)
    return file.getvalue()


FOREIGN = {
    "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n%%EOF\n",
    "PDF": b"%PDF-1.4\n%%EOF",
    "SVG": b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>',
    **{f"no raster format: {kind}": saved(kind) for kind in ("ICO", "TGA", "PCX", "SGI", "EPS", "PDF", "ICNS", "DDS")},
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_no_other_format_reaches_pillow(kind, tmp_path, monkeypatch):
    """Not one of its classes is made, whatever the file is called; one sentence says what is expected."""
    monkeypatch.setattr("PIL.ImageFile.ImageFile.__init__", lambda *_: pytest.fail("it was opened"))
    (tmp_path / "cat.jpg").write_bytes(FOREIGN[kind])

    assert format_of(FOREIGN[kind]) is None
    with pytest.raises(ImageError, match=r"expected: JPEG, PNG, GIF, WebP, BMP, PPM, TIFF, AVIF, JPEG 2000\.$"):
        ImageFile(tmp_path / "cat.jpg").load()
    with pytest.raises(ImageError, match="expected"):
        ImageBytes(FOREIGN[kind]).load()
    with pytest.raises(BadImagesError, match=r"cat\.jpg cannot be read"):
        check_images([ImageFile(tmp_path / "cat.jpg")])


def test_plugins_for_programs_are_not_even_imported(tmp_path):
    """In a process that reads one image of each format."""
    files = {kind: saved(kind) for kind in ("JPEG", "PNG", "GIF", "WEBP", "BMP", "PPM", "TIFF", "AVIF", "JPEG2000")}
    assert len({format_of(data).name for data in files.values()}) == len(FORMATS)
    for kind, data in files.items():
        (tmp_path / kind).write_bytes(data)
    script = f"""
import sys
from pathlib import Path
from offshelf.dataset.decode import decode
for file in Path({str(tmp_path)!r}).iterdir():
    decode(file.read_bytes(), (0, 0, 0))
print([name for name in sys.modules if name in ("PIL.EpsImagePlugin", "PIL.WmfImagePlugin", "PIL.PdfImagePlugin")])
"""
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout == "[]\n"


def test_bytes_are_opened_in_one_place():
    """Nothing in the package asks Pillow to find out what a file is."""
    sources = {path: path.read_text(encoding="utf-8") for path in Path(offshelf.__file__).parent.rglob("*.py")}

    assert len(sources) > 100
    assert [path.name for path, text in sources.items() if re.search(r"(Image|Pillow)\.open\(|imread\(", text)] == []


def test_a_picture_in_pictures_is_its_first(tmp_path):
    """A JPEG with others behind it, as phones write them."""
    file = io.BytesIO()
    first, second = Image.fromarray(PICTURE), Image.new("RGB", (9, 9))
    first.save(file, "MPO", save_all=True, append_images=[second])

    assert decode(file.getvalue(), WHITE).shape == PICTURE.shape


def chunk(name, body):
    """Of a PNG."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def claiming(kind, side):
    """A small file that says it is huge."""
    if kind == "jpeg":
        data = bytearray(saved("JPEG"))
        place = data.index(b"\xff\xc0")
        data[place + 5 : place + 9] = struct.pack(">HH", side, side)
        return bytes(data)
    if kind == "png":
        header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
        return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")
    if kind == "gif":
        data = bytearray(saved("GIF"))
        data[6:10] = struct.pack("<HH", side, side)
        return bytes(data)
    if kind == "bmp":
        data = bytearray(saved("BMP"))
        data[18:26] = struct.pack("<ii", side, side)
        return bytes(data)
    if kind == "ppm":
        return b"P6 %d %d 255\n" % (side, side) + bytes(100)
    options = {
        "tiff": {},
        "tiff, deflate": {"compression": "tiff_adobe_deflate"},
        "tiff, lzw": {"compression": "tiff_lzw"},
    }
    data = bytearray(saved("TIFF", **options[kind]))
    start = struct.unpack_from("<I", data, 4)[0]
    for entry in range(start + 2, start + 2 + 12 * struct.unpack_from("<H", data, start)[0], 12):
        if struct.unpack_from("<H", data, entry)[0] in (256, 257):
            struct.pack_into("<HII", data, entry + 2, 4, 1, side)
    return bytes(data)


@pytest.mark.parametrize("kind", ["jpeg", "png", "gif", "bmp", "ppm", "tiff", "tiff, deflate", "tiff, lzw"])
def test_memory_is_in_proportion_to_the_file(kind):
    """81 million pixels, fewer than are allowed, claimed by a few kB: refused before any of them is made."""
    data = claiming(kind, 9000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for work in (check, lambda data: decode(data, WHITE)):
        with pytest.raises(DecodeError, match="claims 9,000 x 9,000 pixels, which is more than its"):
            work(data)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # kB


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "TIFF"])
def test_a_flat_picture_is_no_false_claim(kind):
    """4 million pixels of one colour, compressed as far as the format goes."""
    file = io.BytesIO()
    options = {
        "PNG": {"optimize": True},
        "JPEG": {"quality": 1, "optimize": True, "progressive": True},
        "WEBP": {"lossless": True},
        "TIFF": {"compression": "tiff_adobe_deflate"},
    }.get(kind, {})
    Image.new("L", (2000, 2000), 128).save(file, kind, **options)

    check(file.getvalue())
    assert decode(file.getvalue(), WHITE).shape == (2000, 2000, 3)


def test_the_limit_of_pixels_can_be_set(tmp_path):
    """The sentence says how; Pillow's own limit has no say."""
    Image.new("1", (10_000, 9_000)).save(tmp_path / "map.png")
    with pytest.raises(ImageError, match=r"map\.png .* more than is safe .* dataset\.max_pixels=90000000"):
        ImageFile(tmp_path / "map.png").check()

    ImageFile(tmp_path / "map.png", max_pixels=90_000_000).check()


def damaged(kind):
    """A JPEG whose compressed pixels end early, or are overwritten; its structure is whole."""
    data = saved("JPEG", progressive="progressive" in kind)
    return data[:-200] + b"\xff\xd9" if "short" in kind else data[: len(data) - 400] + b"\xff\0" * 150 + data[-100:]


@pytest.mark.parametrize("kind", ["short", "short, progressive", "overwritten"])
def test_damage_that_libjpeg_fills_with_grey_is_refused(kind):
    """In one sentence, where simplejpeg is there to tell."""
    pytest.importorskip("simplejpeg")
    with pytest.raises(DecodeError, match="its pixels are damaged"):
        decode(damaged(kind), WHITE)


def test_bytes_too_many_do_no_harm():
    """Before the end marker, as some cameras write them."""
    data = saved("JPEG")

    assert (decode(data[:-2] + b"\1\2\3" + data[-2:], WHITE) == decode(data, WHITE)).all()


def tiff_of_16_bits_in_planes():
    """Compressed, of which Pillow would hand over half of every value."""
    tifffile, file = pytest.importorskip("tifffile"), io.BytesIO()
    planes = np.moveaxis(PICTURE, 2, 0).astype(np.uint16)
    tifffile.imwrite(file, planes, photometric="rgb", planarconfig="separate", compression="deflate")
    return file.getvalue()


@pytest.mark.parametrize("place", [9, 1 << 40, (1 << 64) - 1])
def test_a_tiff_that_points_beyond_itself_is_one_sentence(place):
    """Its first directory is nowhere."""
    for data in (b"II+\0\x08\0\0\0" + struct.pack("<Q", place), b"MM\0+\0\x08\0\0" + struct.pack(">Q", place)):
        for work in (check, lambda data: decode(data, WHITE), lambda data: ImageBytes(data).digest):
            try:
                work(data + bytes(64))
            except DecodeError as error:
                assert "\n" not in str(error)


def white_of_12_bits():
    """A JPEG 2000, which Pillow would read as black."""
    imagecodecs = pytest.importorskip("imagecodecs")
    return imagecodecs.jpeg2k_encode(np.full((8, 8, 3), 4095, np.uint16), level=0, bitspersample=12, reversible=True)


@pytest.mark.parametrize(
    ("make", "why"), [(tiff_of_16_bits_in_planes, "separate planes"), (white_of_12_bits, "more than 8 bits per colour")]
)
def test_what_pillow_reads_wrongly_is_refused(make, why):
    """By the check before work as by decoding."""
    data = make()
    for work in (check, lambda data: decode(data, WHITE)):
        with pytest.raises(DecodeError, match=why):
            work(data)
