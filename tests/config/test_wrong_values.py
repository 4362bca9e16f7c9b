"""Every key of every config with every kind of wrong value: it is taken, or refused in one sentence before any work."""

import pytest
from omegaconf import OmegaConf
from test_config import NEEDED, OPTIONS

from offshelf.backbone import Pixels, Preprocessing, Timm
from offshelf.backbone.preprocessing import Letterboxed, Upright
from offshelf.config import build, conf_dir, load, require_valid
from offshelf.dataset import Csv, Folder
from offshelf.errors import ConfigError, OffshelfError
from offshelf.launcher import Slurm

WRONG = [None, "text", "", -1, 0, 1e30, float("nan"), True, [], ["x"], {"a": "b"}, 10**30]
TASKS = ("classify", "retrieve", "recommend", "extract", "layers", "dataset")


def leaves(node, above=""):
    """Dotted keys of all values, those of groups too."""
    for key in node:
        path = f"{above}{key}"
        if key != "_target_":
            yield path
        if OmegaConf.is_dict(node._get_node(key)) and not OmegaConf.is_missing(node, key):
            yield from leaves(node[key], f"{path}.")


def tries(paths, every, start):
    """Keys with wrong values: with each, or with one each, in turn."""
    for number, path in enumerate(paths, start):
        for place in range(len(WRONG) if every else 1):
            yield path, WRONG[(number + place) % len(WRONG)]


def refused(config, path, value):
    """Why a config with another value is not taken; empty where it is."""
    changed = config.copy()
    OmegaConf.update(changed, path, value, merge=False, force_add=True)
    try:
        require_valid(changed)
        build(changed)
    except OffshelfError as error:
        text = str(error)
        assert "\n" not in text
        assert len(text) < 600, text
        assert "Traceback" not in text
        return text
    return ""


EVERY = [False, pytest.param(True, marks=pytest.mark.soak)]


@pytest.mark.slow
@pytest.mark.parametrize("every", EVERY)
@pytest.mark.parametrize(("group", "option"), OPTIONS, ids=lambda word: word)
@pytest.mark.filterwarnings("ignore")
def test_option(group, option, every):
    """Of one option of a group."""
    task = "retrieve" if group == "retrieval" else "classify"
    config = load(task, [f"{group}={option}", *NEEDED.get((group, option), [])])
    for path, value in tries(leaves(config[group], f"{group}."), every, OPTIONS.index((group, option))):
        refused(config, path, value)


@pytest.mark.parametrize("every", EVERY)
@pytest.mark.parametrize("task", TASKS)
@pytest.mark.filterwarnings("ignore")
def test_root(task, every):
    """Of the keys that belong to no group."""
    config = load(task, [])
    groups = [path.name for path in conf_dir().iterdir() if path.is_dir()]
    own = [path for path in leaves(config) if path.partition(".")[0] not in (*groups, "baseline", "backbones")]
    for path, value in tries(own, every, TASKS.index(task)):
        refused(config, path, value)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("seed", None),
        ("seed", -1),
        ("layer", None),
        ("layer", 10),
        ("pooling", "nonsense"),
        ("on_error", "nonsense"),
        ("name", 20261129),
        ("name", True),
        ("keep_model_mb", "many"),
        ("keep_model_mb", float("nan")),
        ("bootstrap.replicates", "abc"),
        ("bootstrap", 3),
        ("extractor.batch_size", None),
        ("extractor.device", "nonsense"),
        ("extractor.engine", "nonsense"),
        ("extractor.precision", "nonsense"),
        ("dataset.test_fraction", float("nan")),
        ("tracking.experiment", 202611),
        ("store.root", 2026),
        ("home", 2026),
        ("classifier.C", "abc"),
        ("classifier.C", []),
        ("classifier.C", -1),
        ("classifier.folds", 2.5),
        ("classifier.validate", 1),
    ],
)
def test_these_are_refused(path, value):
    """By the name of the key."""
    assert path.rpartition(".")[2] in refused(load("classify", []), path, value)


@pytest.mark.parametrize("value", [-3, -0.5, float("nan"), float("inf")])
def test_a_limit_of_no_size_is_refused(value):
    """Before anything else is done: 0 keeps no model, below it is a mistake."""
    task = build(load("classify", ["tracking=none"]))

    with pytest.raises(ConfigError, match="keep_model_mb"):
        task(output_dir="nowhere", config={}, keep_model_mb=value)


@pytest.mark.parametrize("value", [-1, 0, float("nan"), float("inf"), 1.5, True])
@pytest.mark.parametrize(
    ("key", "make"),
    [
        ("size", lambda value: Pixels(value)),
        ("img_size", lambda value: Timm("resnet18", img_size=value)),
        ("resize_height", lambda value: Upright(resize_height=value)),
        ("height", lambda value: Letterboxed(height=value)),
        ("max_pixels", lambda value: Folder("images", max_pixels=value)),
        ("max_pixels", lambda value: Csv("images.csv", "images", max_pixels=value)),
        ("cpus", lambda value: Slurm(cpus=value)),
    ],
)
def test_counts_start_at_one(key, make, value):
    """Of specs, however they are made; 1 itself is taken."""
    make(1)
    with pytest.raises(OffshelfError, match=rf"\.{key} (is|must be) "):
        make(value)


@pytest.mark.parametrize(
    ("key", "value"),
    [("gpus", -1), ("requeues", -1), ("requeues", True), ("memory_gb", 0), ("memory_gb", -2.5)],
)
def test_slurm_refuses(key, value):
    """Less than nothing, and no memory at all; no GPU and no requeue are taken."""
    Slurm(gpus=0, requeues=0, memory_gb=0.5)
    with pytest.raises(ConfigError, match=key):
        Slurm(**{key: value})


@pytest.mark.parametrize("std", [(1, 1, 0), (1, -1, 1), (1, 1, float("nan"))])
def test_a_deviation_is_positive(std):
    """A negative one would turn colours into their negatives."""
    with pytest.raises(OffshelfError, match="std"):
        Preprocessing(std=std)
