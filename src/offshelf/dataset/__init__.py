"""Data sets: samples, the folds to train and to test on, and the official metric."""

from offshelf.dataset.cub200 import Cub200
from offshelf.dataset.digits import Digits
from offshelf.dataset.folder import Folder
from offshelf.dataset.h3d import H3d
from offshelf.dataset.image import Image, ImageArray, ImageFile, check_images
from offshelf.dataset.imageset import Dataset, Fold, ImageSet, LeftOut, Sample
from offshelf.dataset.manifest import Csv
from offshelf.dataset.mit67 import Mit67
from offshelf.dataset.published import Published
from offshelf.dataset.uiuc_attributes import UiucAttributes
from offshelf.dataset.voc2007 import Voc2007

__all__ = [
    "Csv",
    "Cub200",
    "Dataset",
    "Digits",
    "Fold",
    "Folder",
    "H3d",
    "Image",
    "ImageArray",
    "ImageFile",
    "ImageSet",
    "LeftOut",
    "Mit67",
    "Published",
    "Sample",
    "UiucAttributes",
    "Voc2007",
    "check_images",
]
