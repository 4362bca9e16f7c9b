"""Folders of images for the tests of what is found in them."""

import os
import zlib

import numpy as np
from PIL import Image

from offshelf.dataset import Csv


def picture(path, seed=None):
    """A small image file; another one for each path unless the seed says which."""
    path.parent.mkdir(parents=True, exist_ok=True)
    number = zlib.crc32(os.fsencode(path)) if seed is None else seed
    pixels = np.random.default_rng(number).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, "PNG")
    return path


def tree(root, *folders, count=4):
    """Folders with images in them."""
    for folder in folders:
        for number in range(count):
            picture(root / folder / f"{number}.png")
    return root


def table(folder, header, cells, sign=",", encoding="utf-8", **settings):
    """A table with a line for each image: its path, a label, and the cells that a function of its number gives."""
    lines = [sign.join([f"{number}.png", "ab"[number % 2], *cells(number)]) for number in range(12)]
    (folder / "t.csv").write_bytes("\n".join([header, *lines]).encode(encoding))
    return Csv(str(folder / "t.csv"), **settings)
