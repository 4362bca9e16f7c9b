"""Values that are texts are taken as they were typed, whatever they look like."""

import pytest

from offshelf.config import load
from offshelf.config.command_line import read
from offshelf.config.override import quoted
from offshelf.errors import ConfigError

NUMBERS = [
    "2026_11_29",
    "42",
    "1.10",
    "true",
    "1e5",
    "0x10",
    "007",
    "1_0",
    "+5",
    "-3",
    "inf",
    "nan",
    ".5",
    "1:30",
    "no",
]


KEYS = ["layer", "tracking.experiment", "store.root", "home", "data_dir"]


@pytest.mark.slow
@pytest.mark.parametrize(("key", "text"), [*(("name", text) for text in NUMBERS), *((key, "1_0") for key in KEYS)])
def test_texts_that_look_like_numbers(key, text):
    """A run's name, a layer, folders."""
    asked = read("classify", [f"{key}={text}"])
    config = load("classify", list(asked.overrides))
    node = config
    for part in key.split("."):
        node = node[part]

    assert node == text


@pytest.mark.parametrize("text", ["**a", "*", "[", "d*k", "../classify", "n" * 300, "?", "/"])
def test_texts_are_no_patterns(text):
    """Nor names of files: of a run, and of other keys at the root."""
    for key in ("name", "data_dir"):
        assert load("classify", [f"{key}='{text}'"])[key] == text
    with pytest.raises(ConfigError, match="query_augmentation is a group of keys or null"):
        load("retrieve", [f"query_augmentation='{text}'"])


@pytest.mark.parametrize(
    ("typed", "key", "expected"),
    [
        (["dataset=folder", "dataset.root=2026_11_29"], "dataset.root", "2026_11_29"),
        (["dataset=csv", "dataset.path=1.10"], "dataset.path", "1.10"),
        (["backbone=timm", "backbone.arch=1_0"], "backbone.arch", "1_0"),
        (["layer=[1_0,2,'3',block1]"], "layer", ["1_0", "2", "3", "block1"]),
        (["name=null"], "name", None),
        (["classifier.C=1e2"], "classifier.C", 100.0),
        (["classifier.C=[1,2]"], "classifier.C", [1, 2]),
        (["++classifier.estimator.max_iter=1_000"], "classifier.estimator.max_iter", 1000),
    ],
)
def test_the_parameter_decides(typed, key, expected):
    """What is a number stays one."""
    config = load("classify", list(read("classify", typed).overrides))
    node = config
    for part in key.split("."):
        node = node[part]

    assert node == expected


@pytest.mark.parametrize(
    ("typed", "jobs"),
    [
        ("name=1_0,1_1", "name='1_0','1_1'"),
        ("name=choice(1.10,b)", "name='1.10',b"),
        ("layer=range(1,4)", "layer='1','2','3'"),
        ("layer=[1_0,2],3", "layer=['1_0','2'],'3'"),
        ("classifier.C=1,2", "classifier.C=1,2"),
    ],
)
def test_texts_of_a_sweep(typed, jobs):
    """Each of them."""
    assert list(read("classify", ["-m", typed]).overrides) == [jobs]


def test_settings_of_hydra_that_are_texts():
    """Its folders."""
    assert list(read("classify", ["hydra.run.dir=2026_11"]).overrides) == ["hydra.run.dir='2026_11'"]


@pytest.mark.parametrize("written", ["2026_11_29", "1:30", "no", "1.10", "0x10", "[1, 2]"])
def test_yaml_is_asked_for_quotes(written, tmp_path):
    """There what was written is lost before it could be looked at."""
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment/mine.yaml").write_text(f"# @package _global_\nname: {written}\n")
    with pytest.raises(ConfigError, match=r"name is a text or null; got .*"):
        read("classify", ["--config-dir", str(tmp_path), "+experiment=mine"])


def test_what_is_quoted():
    assert quoted('1_0, "2", x', scalar=True, items=False) == "'1_0', \"2\", x"
    assert quoted("[1,2],3", scalar=True, items=False) == "[1,2],'3'"
    assert quoted("interval(1,2)", scalar=True, items=True) == "interval(1,2)"
