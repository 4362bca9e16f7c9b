"""How good are off-the-shelf features for my images?"""

__version__ = "0.1.0"
