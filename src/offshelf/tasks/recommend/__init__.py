"""Which features are best for a set of images: a race of the backbones and layers at hand."""

from offshelf.tasks.recommend.rules import Rules
from offshelf.tasks.recommend.task import recommend

__all__ = ["Rules", "recommend"]
