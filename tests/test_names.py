"""Names in sentences, tables and overrides."""

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from offshelf.names import in_quotes


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "it's",
        "\\",
        "\\\\",
        "C:\\it's\\",
        "\\'",
        "${home}",
        "a ${b} '\\${c}\\'",
        '"',
        "a,b",
        "[1]",
        "2026_11",
        "\\\\${d}\\\\",
    ],
)
def test_a_text_in_quotes_means_itself(text):
    """To Hydra's grammar and, where it is looked up, to OmegaConf."""
    (override,) = OverridesParser.create().parse_overrides([f"key={in_quotes(text)}"])
    assert OmegaConf.create({"key": override.value()}).key == text
