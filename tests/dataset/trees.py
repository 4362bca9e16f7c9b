"""Folders of images for the tests of what is found in them."""

import numpy as np
from PIL import Image


def picture(path, seed=None):
    """A small image file; another one for each path unless the seed says which."""
    path.parent.mkdir(parents=True, exist_ok=True)
    number = abs(hash(str(path))) if seed is None else seed
    pixels = np.random.default_rng(number).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, "PNG")
    return path


def tree(root, *folders, count=4):
    """Folders with images in them."""
    for folder in folders:
        for number in range(count):
            picture(root / folder / f"{number}.png")
    return root
