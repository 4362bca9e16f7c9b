"""Keys of a network of one's own on the command line: with a plus and without, those of its class too."""

import re
import subprocess

import pytest
import warm

NET = """
from torch import nn

class Net(nn.Sequential):
    def __init__(self, width=8):
        super().__init__(nn.Conv2d(3, width, 3, 2), nn.Conv2d(width, 8, 3, 2))
"""


def layers(folder, *overrides):
    """What `offshelf layers` prints of the network."""
    (folder / "my_net.py").write_text(NET)
    command = [warm.program(), "layers", "backbone=custom", "backbone.module=my_net.Net", *overrides]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.returncode, " ".join((done.stdout + done.stderr).split())


@pytest.mark.slow
@pytest.mark.parametrize("plus", ["", "+", "++"])
def test_keys_of_what_it_sees_and_of_its_class(plus, tmp_path):
    """Each is taken, whichever way it is written."""
    given = ("sees.resize=40", "sees.crop=32", "sees.mean=[0.5,0.5,0.5]", "kwargs.width=6")
    code, said = layers(tmp_path, *(f"{plus}backbone.{each}" for each in given))

    assert code == 0, said
    assert re.search(r"shorter side to 40, centre crop 32 x 32, bilinear, mean \[0.5, 0.5, 0.5\]", said)
    assert "6 x 15 x 15" in said


@pytest.mark.slow
def test_misspelt_keys(tmp_path):
    """One sentence, with the nearest."""
    code, said = layers(tmp_path, "backbone.sees.corp=32")

    assert code == 1
    assert "backbone.sees has no key 'corp'; did you mean 'crop'?" in said
    code, said = layers(tmp_path, "backbone.kwargs.widht=32")
    assert code == 1
    assert "could not be built with {'widht': 32}: TypeError" in said
