"""Two classes of noise, one redder than the other: ten images to train on, six to test."""

import numpy as np
from PIL import Image


def write_noise(folder):
    """As a folder of class folders."""
    for seed in range(16):
        pixels = np.random.default_rng(seed).integers(0, 150, (24, 24, 3), dtype=np.uint8)
        pixels[..., 0] += np.uint8(60 * (seed % 2))
        path = folder / ("train" if seed < 10 else "test") / "ab"[seed % 2] / f"{seed}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
