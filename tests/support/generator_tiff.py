"""TIFFs at random, by tifffile: numbers, orders, compressions, planes, tiles, and odd kinds. See generator."""

import io

import numpy as np
import tifffile
from generator_parts import BITS, Case, narrow, noise, pick, seen, turned


def tiff(values, **options):
    """By tifffile."""
    file = io.BytesIO()
    tifffile.imwrite(file, values, **options)
    return file.getvalue()


def tiff_case(rng):
    """Any number that Pillow knows, white as zero or not, either order of bytes, strips or tiles, any compression."""
    kind, order = pick(rng, (np.uint8, np.uint16, np.int16, np.int32, np.float32, np.uint32)), pick(rng, "<>")
    channels = pick(rng, (1, 1, 3, 4)) if kind in (np.uint8, np.uint16) else 1
    order = "<" if kind is np.uint32 else order  # Pillow has no such big-endian ones
    bits = 8 if kind is np.uint8 else pick(rng, BITS if kind is not np.int16 else BITS[:-1])
    high = 1.0 if kind is np.float32 else 2**bits - 1
    values = noise(rng, channels, high, kind)
    is_inverse = channels == 1 and kind in (np.uint8, np.uint16) and rng.random() < 0.4
    compression = pick(rng, (None, "deflate", "lzw", "packbits", "zstd"))
    side = int(rng.integers(1, 9))
    stored = turned(values, side)
    planar = channels > 1 and rng.random() < 0.3 and (kind is np.uint8 or compression is None)
    data = tiff(
        np.moveaxis(stored, 2, 0) if planar else stored if channels > 1 else stored[..., 0],
        photometric="rgb" if channels > 1 else "miniswhite" if is_inverse else "minisblack",
        byteorder=order,
        compression=compression,
        planarconfig=None if channels == 1 else "separate" if planar else "contig",
        tile=(16, 16) if rng.random() < 0.3 else None,
        predictor=True if compression in ("deflate", "lzw", "zstd") and rng.random() < 0.5 else None,
        extrasamples=["unassalpha"] if channels == 4 else None,
        extratags=[(274, "H", 1, side, True)],
        bigtiff=order == "<" and rng.random() < 0.2,  # nor such big-endian ones
    )
    pixels = narrow(values, 0, high)
    name = (
        f"tiff {channels} x {np.dtype(kind)} of {bits}, {order}, {compression}, planar {planar}, {side}, {is_inverse}"
    )
    shown = seen(255 - pixels if is_inverse else pixels)
    return Case(name, data, shown, int(channels == 4), None if kind is np.uint8 else (0, high))


def odd_tiff_case(rng):
    """Inks, a palette, opacity that colours were multiplied with, signed bytes, one bit, JPEG inside, more pages."""
    kind, order = pick(rng, ("ink", "palette", "multiplied", "signed", "bit", "jpeg", "pages")), pick(rng, "<>")
    if kind == "ink":
        values, is_deep = noise(rng, 4, 255), rng.random() < 0.5
        inks = values.astype(np.uint16) * 257 if is_deep else values
        data = tiff(inks, photometric="separated", byteorder=order, planarconfig="contig")
        left = 255 - values.astype(int)
        pixels = np.rint(left[..., :3] * left[..., 3:] / 255).astype(np.uint8)
        return Case(f"tiff, inks, {order}, {is_deep}", data, pixels, 1, (0, 65535) if is_deep else None)
    if kind == "palette":
        values, colours = noise(rng, 1, 255)[..., 0], rng.integers(0, 256, (3, 256)).astype(np.uint16) * 257
        data = tiff(values, photometric="palette", colormap=colours, byteorder=order)
        return Case("tiff, palette", data, np.moveaxis(colours[:, values] >> 8, 0, 2).astype(np.uint8))
    if kind == "multiplied":
        values, is_deep = noise(rng, 4, 255), rng.random() < 0.5
        values[..., :3] = values[..., :3].astype(int) * values[..., 3:] // 255
        stored = values.astype(np.uint16) * 257 if is_deep else values
        data = tiff(stored, photometric="rgb", extrasamples=["assocalpha"], byteorder=order)
        pixels = (values[..., :3] + (255 - values[..., 3:].astype(int))).astype(np.uint8)
        return Case(f"tiff, multiplied, {is_deep}", data, pixels, 2, (0, 65535) if is_deep else None)
    if kind == "signed":
        values = noise(rng, 1, 127, np.int8, low=-128)
        return Case(
            "tiff, signed bytes", tiff(values[..., 0], byteorder=order), seen(narrow(values, -128, 127)), 0, (-128, 127)
        )
    if kind == "bit":
        values, is_inverse = noise(rng, 1, 1) > 0, rng.random() < 0.5
        data = tiff(values[..., 0], photometric="miniswhite" if is_inverse else "minisblack", byteorder=order)
        return Case("tiff, bits", data, seen(np.where(values != is_inverse, 255, 0).astype(np.uint8)))
    values = noise(rng, 3, 255)
    if kind == "jpeg":
        data = tiff(values, photometric="rgb", compression="jpeg", byteorder=order)
        return Case("tiff, jpeg", data, tifffile.imread(io.BytesIO(data)), 1)
    return Case("tiff, pages", tiff(np.stack([values, 255 - values]), photometric="rgb", byteorder=order), values)
