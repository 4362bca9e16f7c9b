"""Images: where the pixels come from and what identifies them."""
# Contract; the body is written by the dataset package's owner.
from typing import Protocol

import numpy as np


class Image(Protocol):
    """One picture that can be identified without decoding it, and decoded when needed. Picklable."""

    @property
    def digest(self) -> str:
        """SHA-256, in hex, of everything that fixes the pixels: bytes, region, background colour."""

    def load(self) -> np.ndarray:
        """Pixels, uint8 [H, W, 3], RGB. Raises ImageError with the file's name and the reason."""
