"""A package of the user's, which tests change."""

from offshelf.backbone import Custom, Preprocessing
from offshelf.identity import digest

SEES = Preprocessing(16, 16)
NET = """
import json
from pathlib import Path
from torch import nn, zeros
from .blocks import act

class Net(nn.Module):
    def __init__(self, path=None):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.scale = READ
    def forward(self, x):
        from .late import head
        return head(act(self.conv(x) * self.scale))
"""


def package(folder, read="1.0"):
    """A package of the user's: a class, a helper, one that is imported late, and a data file's reader."""
    home = folder / "mine"
    home.mkdir(exist_ok=True)
    (home / "__init__.py").write_text("")
    (home / "nets.py").write_text(NET.replace("READ", read))
    (home / "blocks.py").write_text("from mine.deep.scale import SCALE\ndef act(x): return x.relu() * SCALE\n")
    (home / "late.py").write_text("def head(x): return x.mean((2, 3))\n")
    (home / "deep").mkdir(exist_ok=True)  # a namespace package
    (home / "deep/scale.py").write_text("SCALE = 1.0\n")
    return home


def key(**kwargs):
    """The identity of the network."""
    return digest(Custom("mine.nets.Net", kwargs, sees=SEES, layers={"conv": "conv"}).identity())
