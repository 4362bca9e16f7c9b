"""Data sets: samples, the folds to train and to test on, and the official metric."""

from offshelf.dataset.digits import Digits
from offshelf.dataset.folder import Folder
from offshelf.dataset.image import Image, ImageArray, ImageFile, check_images
from offshelf.dataset.imageset import Dataset, Fold, ImageSet, LeftOut, Sample
from offshelf.dataset.manifest import Csv
from offshelf.dataset.published import Published
from offshelf.dataset.voc2007 import Voc2007

__all__ = [
    "Csv",
    "Dataset",
    "Digits",
    "Fold",
    "Folder",
    "Image",
    "ImageArray",
    "ImageFile",
    "ImageSet",
    "LeftOut",
    "Published",
    "Sample",
    "Voc2007",
    "check_images",
]
