"""Sets in which only some of the classes are left."""

from dataclasses import replace

import numpy as np

from offshelf.dataset.imageset import FileSamples, ImageSet


def renumbered(images: ImageSet, kept: np.ndarray) -> ImageSet:
    """Return a set all of whose images are of some classes, numbered from 0.

    Args:
        images: With single labels.
        kept: Numbers of these classes, ascending: int64.
    """
    targets = np.searchsorted(kept, images.targets)
    classes = tuple(images.classes[number] for number in kept)
    samples = images.samples
    if isinstance(samples, FileSamples):
        return replace(images, classes=classes, samples=FileSamples(samples.files, targets.astype(np.int32)))
    made = [replace(sample, target=target) for sample, target in zip(samples, targets.tolist(), strict=True)]
    return replace(images, classes=classes, samples=made)
