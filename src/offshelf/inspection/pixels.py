"""Numbers of an image's pixels: size, brightness, evenness, sharpness; of all images in one pass over their files."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from offshelf.dataset import Image, ImageFile, thumbnail
from offshelf.dataset.size import upright_size
from offshelf.errors import ImageError
from offshelf.process.cores import usable_cores
from offshelf.terminal.progress import counting, showing

SIDE = 96
"""Longest side, in pixels, at which an image is measured. Larger ones are made smaller first, as JPEGs are already
decoded at a fraction of their size, so that noise and compression of the pixels themselves do not count as sharp."""
EVEN = 8
"""Grey levels (of 256) around the median colour within which a pixel counts as of one colour with the others."""
LUMA = np.array([0.299, 0.587, 0.114], np.float32)
"""Weights of R, G, B in grey (ITU-R BT.601)."""
PERCEIVED = np.array([0.241, 0.691, 0.068], np.float32)
"""Weights of the squares of R, G, B in perceived brightness (Darel Rex Finley's HSP model, as cleanvision has it)."""
SMALL = 16
"""Sides of the copy by which pictures are compared, pixels."""
BLOCK = 1024
"""Number of images whose copies are compared at once."""
COLUMNS = ("width", "height", "bright", "dim", "even", "sharp")


@dataclass(frozen=True, eq=False)
class PixelStatistics:
    """Numbers of N images."""

    width: np.ndarray
    """Pixels, of the upright image or its region: float64 [N]; so are all."""
    height: np.ndarray
    bright: np.ndarray
    """99th percentile of the perceived brightness of the pixels, 0 to 1."""
    dim: np.ndarray
    """5th percentile of the brightness."""
    even: np.ndarray
    """Share of the pixels that are of one colour, within EVEN levels of the median of each channel."""
    sharp: np.ndarray
    """Variance of the Laplacian over the variance of the grey values, at most SIDE pixels wide; 0 without contrast."""
    small: np.ndarray
    """Copies of SMALL x SMALL pixels, whatever the aspect ratio: uint8 [N, SMALL, SMALL, 3]."""

    @staticmethod
    def of(images: Sequence[Image]) -> "PixelStatistics":
        """Measure images, in threads.

        Raises:
            ImageError: One cannot be read any more.
        """
        rows = []
        with (
            ThreadPoolExecutor(len(usable_cores())) as pool,
            showing("Measuring pixels"),
            counting("images", len(images)) as counter,
        ):
            for row in pool.map(_measured, images):
                rows.append(row)
                counter.advance()
        numbers = np.array([row for row, _ in rows], np.float64).reshape(-1, len(COLUMNS))
        small = np.array([one for _, one in rows], np.uint8).reshape(-1, SMALL, SMALL, 3)
        width, height, bright, dim, even, sharp = numbers.T
        return PixelStatistics(width, height, bright, dim, even, sharp, small)

    def correlations(self, rows_Nk: np.ndarray) -> np.ndarray:
        """Return how alike the small copies of each image and of some others are, Pearson's correlation: [N, k].

        It is 0 for images of one colour.
        """
        values_ND = self.small.reshape(len(self.small), -1).astype(np.float32)
        values_ND -= values_ND.mean(axis=1, keepdims=True)
        values_ND /= np.maximum(np.linalg.norm(values_ND, axis=1, keepdims=True), 1e-6)
        found_Nk = np.empty(rows_Nk.shape, np.float32)
        for start in range(0, len(rows_Nk), BLOCK):
            part = slice(start, start + BLOCK)
            found_Nk[part] = np.einsum("nd,nkd->nk", values_ND[part], values_ND[rows_Nk[part]])
        return found_Nk


def _measured(image: Image) -> tuple[tuple[float, ...], np.ndarray]:
    pixels = thumbnail(image, SIDE)
    width, height = _size(image, pixels)
    fitting = _at_most(pixels, SIDE)
    return (width, height, *measure(fitting)), _resized(fitting, SMALL, SMALL)


def _size(image: Image, pixels: np.ndarray) -> tuple[int, int]:
    """Return width and height at full size; of a file without a region they are in its header."""
    if not isinstance(image, ImageFile) or image.region is not None:
        return pixels.shape[1], pixels.shape[0]
    size = upright_size(image.path)
    if size is None:
        raise ImageError(f"{image.path} cannot be read any more.")
    return size


def _at_most(pixels: np.ndarray, side: int) -> np.ndarray:
    longest = max(pixels.shape[:2])
    if longest <= side:
        return pixels
    height, width = (max(1, round(length * side / longest)) for length in pixels.shape[:2])
    return _resized(pixels, width, height)


def _resized(pixels: np.ndarray, width: int, height: int) -> np.ndarray:
    from PIL import Image as Pillow

    made: Any = Pillow.fromarray(pixels).resize((width, height), Pillow.Resampling.BOX)
    return np.asarray(made)


def measure(pixels: np.ndarray) -> tuple[float, float, float, float]:
    """Return `bright`, `dim`, `even` and `sharp` of pixels, uint8 [H, W, 3]; see PixelStatistics."""
    values = pixels.astype(np.float32)
    brightness = np.sqrt(values**2 @ PERCEIVED) / 255
    dim, bright = np.percentile(brightness, [5, 99])
    median = np.median(values.reshape(-1, 3), axis=0)
    even = (np.abs(values - median) <= EVEN).all(axis=2).mean()
    return float(bright), float(dim), float(even), _sharpness(values @ LUMA)


def _sharpness(grey: np.ndarray) -> float:
    variance = float(grey.var())
    if min(grey.shape) < 3 or variance < 1e-6:
        return 0.0
    middle = grey[1:-1, 1:-1]
    laplacian = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * middle
    return float(laplacian.var()) / variance
