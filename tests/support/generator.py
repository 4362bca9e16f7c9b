"""Images at random, over format, mode, depth, metadata and size, each with the pixels that independent code has of it.

Encoders and decoders are imagecodecs, OpenCV and tifffile, and for PNG a writer that puts in any chunk: none of them is
what decodes in offshelf.
"""

import struct
import zlib

import cv2
import imagecodecs
import numpy as np
from generator_parts import BITS, WHITE, Case, exif, narrow, noise, pick, seen, turned
from generator_tiff import odd_tiff_case, tiff_case


def case(number):
    """The image of a number."""
    rng = np.random.default_rng(number)
    return MAKERS[number % len(MAKERS)](rng)


def chunk(name, body, spoilt=False):
    """Of a PNG; with a wrong checksum where it is spoilt."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body) ^ spoilt)


PNG_METADATA = {
    "plain": b"",
    "gamma": chunk(b"gAMA", struct.pack(">I", 100000)) + chunk(b"cHRM", bytes(32)),
    "bad profile": chunk(b"iCCP", b"x\0\0" + b"no zlib"),
    "bad exif": chunk(b"eXIf", b"no exif at all"),
    "bad text": chunk(b"tEXt", b"Title\0spoilt", spoilt=True),
    "huge text": chunk(b"zTXt", b"Title\0\0" + zlib.compress(bytes(3 << 20))),
    "bad international text": chunk(b"iTXt", b"k\0\1\0\0\0" + b"no zlib"),
    "background": chunk(b"bKGD", bytes(6)) + chunk(b"pHYs", bytes(9)),
    "unknown": chunk(b"prVt", b"?" * 100),
}

ADAM7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))


def png(values, depth, colour, extra=b"", late=b"", is_interlaced=False):
    """A PNG of values [H, W, channels]."""
    passes = [values[y::dy, x::dx] for y, x, dy, dx in ADAM7] if is_interlaced else [values]
    body = b"".join(row(line, depth) for one in passes if one.size for line in one)
    header = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], depth, colour, 0, 0, is_interlaced)
    parts = [chunk(b"IHDR", header), extra, chunk(b"IDAT", zlib.compress(body)), late, chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def row(line, depth):
    """Of a PNG, unfiltered."""
    if depth == 16:
        return b"\0" + line.astype(">u2").tobytes()
    bits = np.unpackbits(line.astype(np.uint8).reshape(-1, 1), axis=1)[:, 8 - depth :]
    return b"\0" + np.packbits(bits).tobytes()


def png_case(rng):
    """8 or 16 bits, of which fewer may be used; any metadata; upright or not."""
    channels, colour = pick(rng, ((1, 0), (2, 4), (3, 2), (4, 6)))
    is_deep, note, side = rng.random() < 0.5, pick(rng, [*PNG_METADATA]), int(rng.integers(1, 9))
    bits = pick(rng, BITS) if is_deep else 8
    high = 2**bits - 1
    values = noise(rng, channels, high, np.uint16)
    stored, late = turned(values, side), rng.random() < 0.3
    extra = PNG_METADATA[note] if note == "bad exif" else PNG_METADATA[note] + chunk(b"eXIf", exif(side))
    stored = values if note == "bad exif" else stored
    if "bad" in note or "huge" in note:
        stored, extra = values, PNG_METADATA[note]  # what is broken may take the rest with it
    where = {"late": extra} if late and note != "background" else {"extra": extra}
    data = png(stored, 16 if is_deep else 8, colour, is_interlaced=rng.random() < 0.3, **where)
    name = f"png {channels} x {bits} in {16 if is_deep else 8}, {note}, {side}"
    return Case(name, data, seen(narrow(values, 0, high)), 1, (0, high) if is_deep else None)


def small_png_case(rng):
    """1, 2 and 4 bits, grey or by a palette with opacity; 16 bits with a transparent colour."""
    depth, kind = pick(rng, (1, 2, 4)), pick(rng, ("grey", "palette", "key"))
    if kind == "key":
        values = noise(rng, 3, 65535, np.uint16)
        data = png(values, 16, 2, chunk(b"tRNS", struct.pack(">3H", *values[0, 0].tolist())))
        hidden = (values == values[0, 0]).all(2)
        return Case(
            "png, a colour of 16 bits is transparent",
            data,
            np.where(hidden[..., None], WHITE, narrow(values, 0, 65535)).astype(np.uint8),
            0,
            (0, 65535),
        )
    values = noise(rng, 1, 2**depth - 1)
    if kind == "grey":
        return Case(f"png grey {depth}", png(values, depth, 0), seen(narrow(values, 0, 2**depth - 1)))
    palette, opacity = rng.integers(0, 256, (2**depth, 3), np.uint8), rng.integers(0, 256, (2**depth, 1), np.uint8)
    data = png(values, depth, 3, chunk(b"PLTE", palette.tobytes()) + chunk(b"tRNS", opacity.tobytes()))
    return Case(f"png palette {depth}", data, seen(np.hstack([palette, opacity])[values[..., 0]]), 1)


def segment(marker, body):
    """Of a JPEG."""
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body


SAMPLINGS = {"444": 0x111111, "422": 0x211111, "420": 0x221111, "411": 0x411111}

JPEG_METADATA = {
    "plain": b"",
    "bad exif": segment(0xE1, b"Exif\0\0not exif at all"),
    "endless exif": segment(0xE1, b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + bytes(40)),
    "bad profile": segment(0xE2, b"ICC_PROFILE\0\1\1" + bytes(50)),
    "bad multi picture": segment(0xE2, b"MPF\0II*\0\x08\0\0\0" + bytes(20)),
    "bad photoshop": segment(0xED, b"Photoshop 3.0\08BIM" + b"\xff" * 30),
    "comment": segment(0xFE, b"\xff\xfe no text"),
    "flashpix": segment(0xE2, b"FPXR\0" + bytes(30)),
}


def jpeg_case(rng):
    """Grey, colour and ink; sampled and scanned in any way; any metadata; upright or not; bytes after the end."""
    pixels = noise(rng, pick(rng, (1, 3, 3, 4)), 255)
    note, side = pick(rng, [*JPEG_METADATA]), int(rng.integers(1, 9))
    sampling = pick(rng, ("444", "422", "420", "411")) if pixels.shape[2] == 3 else None
    colours = {"colorspace": "CMYK", "outcolorspace": "CMYK"} if pixels.shape[2] == 4 else {}
    if colours:
        data = imagecodecs.jpeg8_encode(pixels, level=90, **colours)
    else:
        options = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(60, 100))]
        options += [
            cv2.IMWRITE_JPEG_PROGRESSIVE,
            int(rng.random() < 0.3),
            cv2.IMWRITE_JPEG_RST_INTERVAL,
            pick(rng, (0, 3)),
        ]
        options += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, SAMPLINGS[sampling]] if sampling else []
        data = cv2.imencode(".jpg", pixels, options)[1].tobytes()
    shown = imagecodecs.jpeg8_decode(data, **colours)
    if colours:  # Adobe's inks, stored the other way round, times black
        inks = 255 - shown.astype(int) if b"Adobe" not in data else shown.astype(int)
        shown = np.rint(inks[..., :3] * inks[..., 3:] / 255).astype(np.uint8)
    shown = shown[..., None] if shown.ndim == 2 else shown
    upright = np.rint(seen(np.ascontiguousarray(shown))).astype(np.uint8)
    extra = JPEG_METADATA[note]
    if "exif" not in note:
        extra += segment(0xE1, b"Exif\0\0" + exif(side))
        upright = turned(upright, {6: 8, 8: 6}.get(side, side))
    data = data[:2] + extra + data[2:] + pick(rng, (b"", bytes(7), b"\xff\xd8 after the end"))
    return Case(f"jpeg {pixels.shape}, {note}, {side}, {sampling}", data, upright, 2 if colours else 1)


def webp_case(rng):
    """Lossless or not, with or without opacity; EXIF that says which side is up, or that is none."""
    channels, is_lossless = pick(rng, (3, 4)), rng.random() < 0.5
    data = imagecodecs.webp_encode(noise(rng, channels, 255), level=None if is_lossless else 80, lossless=is_lossless)
    shown = seen(imagecodecs.webp_decode(data, hasalpha=channels == 4))
    block, side = pick(rng, ((None, 1), (b"no exif", 1), (exif, int(rng.integers(1, 9)))))
    if block and data[12:16] != b"VP8X":
        extended = bytes([8 + 16 * (channels == 4), 0, 0, 0])
        extended += b"".join((side - 1).to_bytes(3, "little") for side in shown.shape[1::-1])
        body = b"WEBP" + riff(b"VP8X", extended) + data[12:]
        body += riff(b"EXIF", block if isinstance(block, bytes) else block(side))
        data = b"RIFF" + struct.pack("<I", len(body)) + body
        shown = turned(shown, {6: 8, 8: 6}.get(side, side))
    return Case(f"webp {channels}, lossless {is_lossless}, {side}", data, shown, 1)


def riff(name, body):
    """A chunk of a WebP."""
    return name + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)


def netpbm_case(rng):
    """PGM and PPM that say what white is."""
    high, channels = pick(rng, (1, 15, 255, 1000, 4095, 65535)), pick(rng, (1, 3))
    values = noise(rng, channels, high, np.uint16)
    height, width = values.shape[:2]
    body = values.astype(">u2" if high > 255 else "u1").tobytes()
    data = b"P%d\n# a comment\n%d %d\n%d\n" % (5 if channels == 1 else 6, width, height, high) + body
    return Case(
        f"pnm {channels} of {high}",
        data,
        seen(narrow(values, 0, high)),
        1,
        (0, 65535) if high > 255 and channels == 1 else None,
    )


def jpeg2000_case(rng):
    """Without loss, of 8 bits, or grey of more."""
    bits, channels = pick(rng, (8, 12, 16)), pick(rng, (1, 3))
    bits = 8 if channels == 3 else bits
    values = noise(rng, channels, 2**bits - 1, np.uint8 if bits == 8 else np.uint16)
    data = imagecodecs.jpeg2k_encode(
        values[..., 0] if channels == 1 else values, level=0, bitspersample=bits, reversible=True, resolutions=1
    )
    deep = (0, 65535) if bits > 8 else None
    return Case(f"jpeg 2000, {channels} of {bits}", data, seen(narrow(values, 0, 2**bits - 1)), 1, deep)


def opencv_case(rng):
    """BMP by OpenCV; GIF and AVIF by imagecodecs."""
    kind = pick(rng, ("bmp", "gif", "avif"))
    values = noise(rng, 3, 255)
    if kind == "bmp":
        return Case("bmp", cv2.imencode(".bmp", values[..., ::-1])[1].tobytes(), values)
    if kind == "gif":
        grey = values[..., 0]
        return Case("gif", imagecodecs.gif_encode(grey), seen(grey[..., None]))
    data = imagecodecs.avif_encode(values, level=90)
    return Case("avif", data, imagecodecs.avif_decode(data), 2)


MAKERS = (png_case, tiff_case, jpeg_case, png_case, tiff_case, jpeg_case, small_png_case, webp_case, netpbm_case)
MAKERS += (tiff_case, jpeg_case, jpeg2000_case, opencv_case, odd_tiff_case, odd_tiff_case)
