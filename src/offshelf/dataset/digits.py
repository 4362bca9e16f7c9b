"""scikit-learn's bundled handwritten digits: 1,797 real images that need no download."""

from dataclasses import dataclass

import numpy as np
from typing_extensions import override

from offshelf.dataset.image import ImageArray
from offshelf.dataset.imageset import Dataset, ImageSet, Sample
from offshelf.dataset.leaks import LeakRules
from offshelf.dataset.partition import partition
from offshelf.dataset.training_sizes import TrainingSizes


@dataclass(frozen=True)
class Digits(Dataset, TrainingSizes, LeakRules):
    """Handwritten digits of 8 x 8 pixels, 17 greys and ten classes.

    They are the test part of UCI's Optical Recognition of Handwritten Digits.
    """

    test_fraction: float = 0.5

    @override
    def load(self) -> ImageSet:
        """Load the digits; a stratified half is the test part."""
        from sklearn.datasets import load_digits

        digits = load_digits()
        grey = np.round(digits.images * (255 / 16)).astype(np.uint8)
        pixels = np.repeat(grey[..., None], 3, axis=3)
        samples = [
            Sample(f"digit-{row:04d}", ImageArray(image), int(target))
            for row, (image, target) in enumerate(zip(pixels, digits.target, strict=True))
        ]
        classes = tuple("0123456789")
        folds = partition(digits.target, classes, self.test_fraction, None, self.seed)
        return self.drawn(ImageSet("digits", classes, samples, folds))
