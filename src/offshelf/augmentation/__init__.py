"""Which views each image is seen through: at training time views are samples, at test time their responses are summed."""

from offshelf.augmentation.augmentation import Augmentation, Views, center, five_crop, mirror, ten_crop, whole
from offshelf.augmentation.view import View

__all__ = ["Augmentation", "View", "Views", "center", "five_crop", "mirror", "ten_crop", "whole"]
