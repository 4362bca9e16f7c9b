"""Seeded data like deep features: non-negative, of unit length, one entry in four positive, eigenvalues by a power law.

Real features of a thousand classes cannot be shipped; these are made so that a linear SVM finds them as hard: average
precisions of 0.7 to 0.95, a tenth to a third of the rows support vectors, images from clear to hopeless.
"""

from pathlib import Path

import numpy as np

VOC2007 = (238, 243, 330, 181, 244, 186, 713, 337, 445, 141, 200, 421, 287, 245, 2008, 245, 96, 229, 261, 256)
"""Images of each class in VOC 2007's 5,011 training and validation images."""

SEPARATION = 0.7
"""Distance of a clear image from others, in standard deviations of a direction."""
DECAY = 0.7
"""Standard deviations of the directions fall by this power of their rank."""
BLOCK = 1 << 14
"""Rows made at a time on disk."""


def multi_label(images: int, dims: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Features float32 [images, dims] and labels bool [images, 20] with VOC 2007's class frequencies."""
    random = np.random.default_rng(seed)
    labels = random.random((images, len(VOC2007))) < np.array(VOC2007) / 5011
    return _features(labels * random.random(labels.shape), dims, random), labels


def single_label(images: int, dims: int, classes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Features float32 [images, dims] and class numbers int64 [images], classes as equal in size as can be."""
    random = np.random.default_rng(seed)
    targets = random.permutation(np.arange(images) % classes)
    presence = np.eye(classes)[targets] * random.random((images, 1))
    return _features(presence, dims, random), targets


def views(values: np.ndarray, count: int, seed: int = 0) -> np.ndarray:
    """`count` near duplicates of each row, side by side: float32 [rows * count, dims]."""
    random = np.random.default_rng(seed)
    out = np.empty((len(values) * count, values.shape[1]), np.float32)
    for view in range(count):
        other = values[random.permutation(len(values))]
        mixed = values + (0.0 if view == 0 else 0.35) * random.random((len(values), 1), np.float32) * other
        out[view::count] = mixed / np.linalg.norm(mixed, axis=1, keepdims=True)
    return out


def on_disk(path: Path, images: int, dims: int, classes: int, seed: int = 0) -> np.ndarray:
    """The like of `single_label` in a file of float16 [images, dims], made block by block; class numbers [images]."""
    random = np.random.default_rng(seed)
    targets = random.permutation(np.arange(images) % classes)
    rank = min(dims, 2048)
    deviations = ((1.0 + np.arange(rank)) ** -DECAY).astype(np.float32)
    means = random.standard_normal((classes, rank), np.float32) * SEPARATION
    mixing = random.standard_normal((rank, dims), np.float32)
    offsets = random.normal(-0.8, 0.6, dims).astype(np.float32)
    out, scale = np.lib.format.open_memmap(path, "w+", np.float16, (images, dims)), 0.0
    for start in range(0, images, BLOCK):
        part = targets[start : start + BLOCK]
        latent = means[part] * random.random((len(part), 1), np.float32)
        maps = (latent + random.standard_normal(latent.shape, np.float32)) * deviations @ mixing
        scale = scale or float(maps.std())
        values = np.maximum(maps + scale * offsets, 0)
        out[start : start + BLOCK] = values / np.linalg.norm(values, axis=1, keepdims=True)
    out.flush()
    return targets


def _features(presence: np.ndarray, dims: int, random: np.random.Generator) -> np.ndarray:
    """From each class's clearness in each image, [images, classes]."""
    rank = min(dims, 2048)
    deviations = (1.0 + np.arange(rank)) ** -DECAY
    latent = presence @ random.standard_normal((presence.shape[1], rank)) * SEPARATION
    latent = (latent + random.standard_normal(latent.shape)) * deviations
    maps = latent.astype(np.float32) @ random.standard_normal((rank, dims), np.float32)
    scale = maps.std()
    values = np.maximum(maps + scale * random.normal(-0.8, 0.6, dims).astype(np.float32), 0)
    return values / np.linalg.norm(values, axis=1, keepdims=True)
