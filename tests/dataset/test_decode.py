"""Files of every kind, good and bad: what is read and what is refused is the same before and during the work."""

import io
import struct
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event

import numpy as np
import pytest
from PIL import Image, ImageCms

from offshelf.dataset import decode as module
from offshelf.dataset.decode import DecodeError, check, decode

WHITE = (255, 255, 255)


def picture(height=48, width=64):
    """Smooth colours with texture."""
    rows, columns = np.mgrid[:height, :width]
    noise = np.random.default_rng(0).integers(0, 40, (height, width, 3))
    return (np.stack([rows * 3, columns * 2, rows + columns], axis=2) % 200 + noise).astype(np.uint8)


def saved(kind, image=None, **options):
    """Bytes of an image in a format."""
    buffer = io.BytesIO()
    (image or Image.fromarray(picture())).save(buffer, kind, **options)
    return buffer.getvalue()


def exif(orientation):
    """EXIF data that says how the camera was held."""
    data = Image.Exif()
    data[0x0112] = orientation
    return data


def with_thumbnail(jpeg):
    """A JPEG with a whole JPEG in its metadata, end marker included."""
    inner = b"Exif\0\0" + saved("JPEG", Image.fromarray(picture(8, 8)))
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(inner) + 2) + inner + jpeg[2:]


def png_claiming(width, height):
    """The header of a huge PNG."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [b"IHDR" + header, b"IDAT" + zlib.compress(bytes(100))]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) for chunk in chunks
    )


def ycck(jpeg):
    """A CMYK JPEG whose Adobe marker says YCCK: inks as Photoshop stores them."""
    place = jpeg.index(b"Adobe") + 11
    return jpeg[:place] + b"\x02" + jpeg[place + 1 :]


JPEG, PNG = saved("JPEG"), saved("PNG")
FRAMES = [Image.new("RGB", (16, 16), colour) for colour in ("red", "lime", "blue")]
PALETTE = Image.fromarray(picture()).convert("P")
CMYK = Image.fromarray(picture()).convert("CMYK")

GOOD = {
    "jpeg": JPEG,
    "jpeg, grey": saved("JPEG", Image.fromarray(picture()).convert("L")),
    "jpeg, progressive": saved("JPEG", progressive=True),
    "jpeg, no subsampling": saved("JPEG", subsampling=0),
    "jpeg, of odd size": saved("JPEG", Image.fromarray(picture(33, 47))),
    "jpeg, cmyk": saved("JPEG", CMYK),
    "jpeg, ycck": ycck(saved("JPEG", CMYK)),
    "jpeg, with an icc profile": saved(
        "JPEG", icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    ),
    "jpeg, with a thumbnail": with_thumbnail(JPEG),
    "jpeg, with bytes after its end": JPEG + b"\0" * 100,
    "jpeg, 1 x 1": saved("JPEG", Image.new("RGB", (1, 1))),
    "jpeg, 30000 x 2": saved("JPEG", Image.new("RGB", (30000, 2))),
    **{f"jpeg, exif {number}": saved("JPEG", exif=exif(number)) for number in range(2, 9)},
    "png": PNG,
    "png, 16 bits": saved("PNG", Image.fromarray(picture()[..., 0].astype(np.uint16) * 257)),
    "png, palette with transparency": saved("PNG", PALETTE, transparency=0),
    "png, alpha": saved("PNG", Image.fromarray(picture()).convert("RGBA")),
    "png, one bit": saved("PNG", Image.fromarray(picture()).convert("1")),
    "png, animated": saved("PNG", FRAMES[0], save_all=True, append_images=FRAMES[1:]),
    "gif, animated": saved("GIF", FRAMES[0], save_all=True, append_images=FRAMES[1:]),
    "webp": saved("WEBP"),
    "webp, animated": saved("WEBP", FRAMES[0], save_all=True, append_images=FRAMES[1:]),
    "tiff": saved("TIFF"),
    "tiff, float": saved("TIFF", Image.fromarray(np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8))),
    "bmp": saved("BMP"),
    "ppm": saved("PPM"),
}

BAD = {
    "no bytes": (b"", "it is empty"),
    "one byte": (b"\xff", "not of a known image format"),
    "text": (b"not an image", "not of a known image format"),
    "html": (b"<html><body>404</body></html>", "not of a known image format"),
    "zeros": (bytes(5000), "not of a known image format"),
    "a jpeg's first two bytes": (b"\xff\xd8", ""),
    **{f"jpeg, {number} quarter(s) of it": (JPEG[: number * len(JPEG) // 4], "") for number in (1, 2, 3)},
    "jpeg, last bytes gone": (JPEG[:-200], "truncated"),
    "jpeg with a thumbnail, cut": (with_thumbnail(JPEG)[: -len(JPEG) // 2], "runcated"),
    "jpeg, its end zeroed": (JPEG[: len(JPEG) // 2] + bytes(len(JPEG) // 2), None),
    **{f"png, {number} quarter(s) of it": (PNG[: number * len(PNG) // 4], "") for number in (1, 2, 3)},
    "png, a bit flipped": (PNG[:200] + bytes([PNG[200] ^ 4]) + PNG[201:], ""),
    "gif, half of it": (saved("GIF")[:900], ""),
    "webp, half of it": (saved("WEBP")[:200], ""),
    "bmp, half of it": (saved("BMP")[:4000], "truncated"),
    "tiff, half of it": (saved("TIFF")[:3000], ""),
    "png that claims 60000 x 60000": (png_claiming(60000, 60000), "more than is safe"),
    "tiff of numbers that are none": (saved("TIFF", Image.fromarray(np.full((8, 8), np.nan, np.float32))), "finite"),
}


def verdict(function, *arguments):
    """None, or the reason."""
    try:
        function(*arguments)
    except DecodeError as error:
        return str(error)
    return None


@pytest.mark.parametrize("kind", GOOD)
def test_good_files(kind):
    """Pixels, uint8 RGB; the quick look agrees."""
    pixels = decode(GOOD[kind], WHITE)

    assert (pixels.dtype, pixels.ndim, pixels.shape[2]) == (np.uint8, 3, 3)
    assert verdict(check, GOOD[kind]) is None


@pytest.mark.parametrize("kind", BAD)
def test_bad_files(kind):
    """Refused with a reason, and already by the quick look: nothing is found out after long work."""
    data, reason = BAD[kind]
    if reason is None:  # libjpeg fills in what it misses: readable, and so not refused
        assert verdict(decode, data, WHITE) == verdict(check, data)
        return
    assert reason in (verdict(decode, data, WHITE) or "read!")
    assert reason in (verdict(check, data) or "read!")


def test_forty_kinds():
    """The promise of the documentation."""
    assert len(GOOD) + len(BAD) >= 40


@pytest.mark.parametrize("size", [(48, 64), (33, 47), (1, 1), (17, 200)])
@pytest.mark.parametrize(
    "options", [{}, {"subsampling": 0}, {"subsampling": 1}, {"progressive": True}, {"quality": 30}]
)
def test_both_decoders_give_the_same_pixels(size, options, monkeypatch):
    """simplejpeg's equal Pillow's, to the last bit."""
    pytest.importorskip("simplejpeg")
    for mode in ("RGB", "L"):
        data = saved("JPEG", Image.fromarray(picture(*size)).convert(mode), **options)
        fast = decode(data, WHITE)
        with monkeypatch.context() as without:
            without.setattr(module, "_simplejpeg", lambda: None)
            assert (fast == decode(data, WHITE)).all()


def test_upright_by_exif():
    """A photograph taken on its side, through the path of plain files and of turned ones."""
    assert decode(GOOD["jpeg"], WHITE).shape == (48, 64, 3)
    assert decode(GOOD["jpeg, exif 6"], WHITE).shape == (64, 48, 3)


def test_threads_leave_the_warnings_as_they_were(monkeypatch):
    """Of two that decode at once the first to begin is the first to end; Pillow warns of both images."""
    data, before, rgb = saved("PNG", PALETTE, transparency=bytes([0, 9])), list(warnings.filters), module.rgb
    both, is_first_done = Barrier(2), Event()

    def slow(image, background):
        number = both.wait()
        if number:
            is_first_done.wait()
        warnings.warn_explicit("Odd metadata", UserWarning, "PIL/Image.py", 1, "PIL.Image")
        return rgb(image, background)

    def work(_):
        decode(data, WHITE)
        is_first_done.set()

    monkeypatch.setattr(module, "rgb", slow)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, range(2)))
    assert list(warnings.filters) == before
