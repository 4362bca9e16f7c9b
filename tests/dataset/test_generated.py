"""Images of every kind against independent decoders; some hundreds, or as a soak test 20,000 of them."""

import numpy as np
import pytest

from offshelf.dataset import decode as module
from offshelf.dataset.decode import DecodeError, check, decode

pytest.importorskip("imagecodecs")
pytest.importorskip("tifffile")
pytest.importorskip("cv2")
import generator

BLOCKS = [range(start, start + 40) for start in range(0, 520, 40)]
BLOCKS += [pytest.param(range(start, start + 487), marks=pytest.mark.soak) for start in range(520, 20_000, 487)]

WHITE = (255, 255, 255)


@pytest.fixture(params=["simplejpeg", "Pillow"])
def decoder(request, monkeypatch):
    """JPEGs with and without simplejpeg."""
    if request.param == "Pillow":
        monkeypatch.setattr(module, "_simplejpeg", lambda: None)
    else:
        pytest.importorskip("simplejpeg")
    return request.param


@pytest.mark.parametrize("numbers", BLOCKS, ids=lambda block: str(block.start))
def test_pixels_are_those_of_independent_decoders(decoder, numbers):
    """Each passes the check before work, which knows how deep it is, and has the pixels that others find."""
    for number in numbers:
        case = generator.case(number)
        extent, pixels = check(case.data), decode(case.data, WHITE, case.values)
        assert (extent is None) == (case.values is None), (number, case.name)
        assert pixels.shape == case.pixels.shape, (number, case.name)
        assert np.abs(pixels.astype(int) - case.pixels).max() <= case.tolerance, (number, case.name)
        assert pixels.flags.writeable, (number, case.name)


def verdict(function, *arguments):
    """None, or the reason."""
    try:
        function(*arguments)
    except DecodeError as error:
        return str(error)
    return None


@pytest.mark.slow
@pytest.mark.parametrize("numbers", BLOCKS, ids=lambda block: str(block.start))
def test_damage(decoder, numbers):
    """Cut off or overwritten, an image is read or refused in one line; the check refuses nothing that can be read."""
    for number in numbers:
        case, rng = generator.case(number), np.random.default_rng(number)
        place = int(rng.integers(len(case.data)))
        cut = case.data[:place]
        spoilt = cut + rng.bytes(8) + case.data[place + 8 :]
        for data in (cut, spoilt):
            before, during = verdict(check, data), verdict(decode, data, WHITE, case.values)
            assert before is None or during is not None, (number, case.name, before)
            assert "\n" not in f"{before}{during}", (number, case.name)
