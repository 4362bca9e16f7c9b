"""Words, settings and options of commands that are no tasks, in any order."""

from itertools import permutations

import pytest

from offshelf.commands import predict
from offshelf.commands.arguments import Parser
from offshelf.errors import ConfigError


@pytest.mark.parametrize("order", list(permutations(["RUN IMAGE", "--out x.csv", "home=h"])))
def test_any_order(order):
    """Of `offshelf predict`."""
    options = predict._parser().parse_args(" ".join(order).split())

    assert (options.run, options.images, options.out) == ("RUN", ["IMAGE", "home=h"], "x.csv")


def test_a_run_whose_name_has_an_equals_sign():
    """It is a word: only keys of settings are settings."""
    options = predict._parser().parse_args(["home=h", "C=2", "image.png"])

    assert (options.run, options.images) == ("C=2", ["image.png", "home=h"])


def test_mistakes():
    """One sentence."""
    parser = Parser(prog="offshelf x")
    parser.add_argument("word")
    with pytest.raises(ConfigError, match=r"Unrecognized arguments: --frob\. See: offshelf x --help"):
        parser.parse_args(["a", "--frob"])
