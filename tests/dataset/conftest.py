"""Miniatures on a server."""

import numpy as np
import pytest
from miniature import write
from PIL import Image
from server import serve


@pytest.fixture
def place(tmp_path):
    """A function that serves a set, and returns what its spec needs to be had from there."""
    sites = []

    def offer(name):
        write(name, tmp_path / "site")
        sites.append(serve(tmp_path / "site"))
        return {"root": str(tmp_path / "data"), "mirrors": (sites[-1].__enter__().url,), "verify": False}

    yield offer
    for site in sites:
        site.__exit__(None, None, None)


@pytest.fixture
def rows(tmp_path):
    """Twelve images of 40 x 20 pixels, 0.png to 11.png."""
    for number in range(12):
        pixels = np.random.default_rng(number).integers(0, 256, (20, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    return tmp_path
