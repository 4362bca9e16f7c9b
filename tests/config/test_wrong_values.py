"""Every key of every config with every kind of wrong value: it is taken, or refused in one sentence before any work."""

import pytest
from omegaconf import OmegaConf
from test_config import NEEDED, OPTIONS

from offshelf.config import build, conf_dir, load, require_valid
from offshelf.errors import OffshelfError

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


def tries(paths, every):
    """Keys with wrong values: with each, or with four each, in turn."""
    for number, path in enumerate(paths):
        for place in range(len(WRONG) if every else 4):
            yield path, WRONG[(4 * number + place) % len(WRONG)]


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


EVERY = [False, pytest.param(True, marks=pytest.mark.slow)]


@pytest.mark.parametrize("every", EVERY)
@pytest.mark.parametrize(("group", "option"), OPTIONS, ids=lambda word: word)
@pytest.mark.filterwarnings("ignore")
def test_option(group, option, every):
    """Of one option of a group."""
    task = "retrieve" if group == "retrieval" else "classify"
    config = load(task, [f"{group}={option}", *NEEDED.get((group, option), [])])
    for path, value in tries(leaves(config[group], f"{group}."), every):
        refused(config, path, value)


@pytest.mark.parametrize("every", EVERY)
@pytest.mark.parametrize("task", TASKS)
@pytest.mark.filterwarnings("ignore")
def test_root(task, every):
    """Of the keys that belong to no group."""
    config = load(task, [])
    groups = [path.name for path in conf_dir().iterdir() if path.is_dir()]
    own = [path for path in leaves(config) if path.partition(".")[0] not in (*groups, "baseline", "backbones")]
    for path, value in tries(own, every):
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
