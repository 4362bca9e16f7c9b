"""Every option of every group composes, binds to its target and is documented; mistakes get the nearest name."""

import importlib
import inspect

import pytest
from hydra.utils import get_object, instantiate
from omegaconf import OmegaConf

from offshelf.config import build, conf_dir, load, plain
from offshelf.config.keys import INJECTED_PARAMETERS
from offshelf.errors import ConfigError

GROUPS = sorted(path.name for path in conf_dir().iterdir() if path.is_dir() and path.name != "hydra")
OPTIONS = [(group, path.stem) for group in GROUPS for path in sorted((conf_dir() / group).glob("*.yaml"))]
NEEDED = {
    ("augmentation", "custom"): ["augmentation.views=[{fit: whole},{fit: whole, mirror: true}]"],
    ("backbone", "custom"): ["backbone.module=torch.nn.Identity"],
    ("backbone", "timm"): ["backbone.arch=resnet18"],
    ("backbone", "torchvision"): ["backbone.arch=resnet18"],
    ("dataset", "csv"): ["dataset.path=x.csv"],
    ("dataset", "features"): ["dataset.path=x.npz"],
    ("dataset", "huggingface"): ["dataset.path=x"],
    ("dataset", "parquet"): ["dataset.path=x.parquet"],
    ("dataset", "webdataset"): ["dataset.path=x.tar"],
    ("dataset", "folder"): ["dataset.root=x"],
    ("store", "bucket"): ["store.url=s3://bucket/features"],
    ("dataset", "coco"): ["dataset.path=x.json"],
    ("dataset", "yolo"): ["dataset.path=data.yaml"],
    ("dataset", "voc_xml"): ["dataset.root=x"],
}


def test_all_options_are_seen():
    """The list above is not empty by mistake."""
    assert len(OPTIONS) >= 43
    assert [
        *("augmentation", "backbone", "classifier", "dataset", "extractor", "launcher", "layer_fusion"),
        *("postprocess", "retrieval", "store", "tracking"),
    ] == GROUPS


@pytest.mark.parametrize(("group", "option"), OPTIONS, ids=lambda word: word)
def test_option_binds(group, option):
    """Composed into a root, each target can be made."""
    task = "retrieve" if group == "retrieval" else "classify"
    config = load(task, [f"{group}={option}", *NEEDED.get((group, option), [])])
    made = instantiate(plain(config)[group], _convert_="all")

    assert made is not None


@pytest.mark.parametrize(("group", "option"), OPTIONS, ids=lambda word: word)
def test_option_is_documented_and_complete(group, option):
    """It starts with a comment, is short, and shows every parameter, so that each can be overridden without a plus."""
    text = (conf_dir() / group / f"{option}.yaml").read_text()
    node = OmegaConf.create(text)

    assert text.startswith("# ")
    assert len(text.splitlines()) <= 28
    if node._target_.startswith("offshelf."):
        parameters = inspect.signature(get_object(node._target_)).parameters
        any_other = {name for name, one in parameters.items() if one.kind is inspect.Parameter.VAR_KEYWORD}
        public = {name for name in parameters if not name.startswith("_")} - any_other
        unlisted = {"home", "sees", "kwargs", "verify", "layers", "partition", "train", "simplest"}
        assert public - set(node) <= unlisted, option
        assert any_other or set(node) - {"_target_"} <= public
    if "sees" in node:
        assert set(node.sees) - {"_target_"} == set(inspect.signature(get_object(node.sees._target_)).parameters)


@pytest.mark.parametrize("group", GROUPS)
def test_group_is_a_package(group):
    """One name for a thing; its options are that package's, or scikit-learn's."""
    importlib.import_module(f"offshelf.{group}")
    for path in (conf_dir() / group).glob("*.yaml"):
        target = OmegaConf.load(path)._target_
        assert target.startswith((f"offshelf.{group}.", "sklearn.")), path


@pytest.mark.parametrize("task", ["classify", "retrieve", "extract", "layers", "dataset"])
def test_roots_bind(task):
    """Every parameter of a task is in its config, except those that the command line gives."""
    config = load(task, [])
    bound = build(config)
    expected = set(inspect.signature(get_object(config["_target_"])).parameters) - set(INJECTED_PARAMETERS)

    assert set(bound.keywords) == expected


@pytest.mark.parametrize(
    ("override", "hint"),
    [
        ("clasifier.C=2", "did you mean 'classifier'"),
        ("classifier.c=2", "did you mean 'C'?"),
        ("classifier.lss=hinge", "did you mean 'classifier.estimator.loss'?"),
        ("C=2", "did you mean 'classifier.C'?"),
        ("dataset.root=photos", "dataset=folder dataset.root=…"),
        ("backbone=resnet18", "backbone=torchvision backbone.arch=resnet18"),
        ("backbone=vit_tiny_patch16_224.augreg_in21k", "backbone=timm backbone.arch=vit_tiny_patch16_224.augreg"),
        ("dataset=digit", "did you mean 'digits'"),
        ("backbone=resnet05", "did you mean 'resnet50'"),
        ("poolin=avg", "did you mean 'pooling'"),
        ("+pooling_=avg", "did you mean 'pooling'"),
        ("+dataset.sed=3", "did you mean 'seed'"),
        ("+baseline.sizes=3", "did you mean 'size'"),
        ("foo", "'foo' is not an override"),
        ("layer=[a", "is not an override"),
        ("dataset=folder", "Missing: dataset.root. Set: dataset.root=…"),
        ("zzzzzz=1", "There are: "),
        ("classifier.zzz=1", "There are: estimator, C, folds, fusion, one_standard_error, calibrate, validate, seed."),
        ("extractor=null", "the name of one of its options"),
        ("~extractor", "has no extractor"),
        ("layer=${oc.env:OFFSHELF_NOTHING}", "environment variable OFFSHELF_NOTHING, which is not set"),
        ("layer=${pooling} pooling=${layer}", "layer cannot be resolved: Recursive interpolation"),
        ("layer=${nothing}", "layer refers to the key 'nothing', which is not there"),
        ("seed=null", "seed is a whole number from 0 to 4294967295; got null."),
        ("seed=-1", "got -1."),
        ("bootstrap.replicates=abc", "bootstrap.replicates is a whole number; got 'abc'."),
        ("classifier.C=abc", "classifier.C is a number or a list"),
        ("dataset.test_fraction=nan", "dataset.test_fraction is a number; got nan."),
        ("extractor.batch_size=1e3", "extractor.batch_size is a whole number; got 1000.0."),
        ("bootstrap=3", "bootstrap is a group of keys; got 3."),
        ("classifier.fusion=summ", "classifier.fusion cannot be 'summ'; did you mean 'sum'?"),
    ],
)
def test_mistakes(override, hint):
    """One sentence, with the way out."""
    with pytest.raises(ConfigError) as error:
        load("classify", override.split())

    assert hint in str(error.value)
    assert "\n" not in str(error.value)


def test_all_missing_values_are_named_at_once():
    """Not one after the other."""
    with pytest.raises(ConfigError, match=r"Missing: backbone\.arch, dataset\.root\."):
        load("classify", ["dataset=folder", "backbone=timm"])


@pytest.mark.parametrize(
    "override",
    [
        "classifier.C=-1",
        "classifier.fusion=summ",
        "classifier=knn classifier.n_neighbors=0",
        "+classifier.folts=3",
        "+classifier.estimator.colour=3",
        "extractor.batch_size=0",
        "dataset=dtd dataset.partition=11",
    ],
)
def test_bad_values_are_refused_when_built(override):
    """The component's own sentence comes through Hydra."""
    with pytest.raises(ConfigError, match=override.split()[-1].split("=")[0].rpartition(".")[2]):
        build(load("classify", override.split()))


def test_estimators_are_looked_up_when_built():
    """Composing a config imports no estimator, and so no scikit-learn; a wrong one is a sentence all the same."""
    config = load("classify", ["classifier.estimator._target_=offshelf.classifier.Nothing"])
    with pytest.raises(ConfigError, match=r"offshelf\.classifier\.Nothing"):
        build(config)


@pytest.mark.parametrize("option", sorted(path.stem for path in (conf_dir() / "classifier").glob("*.yaml")))
def test_grids_are_overridden(option):
    """One value, a list, the folds: for each classifier, under its parameter's name."""
    name = {"knn": "n_neighbors", "nearest_neighbour": "n_neighbors", "ridge": "alpha"}.get(option, "C")
    one, several = f"classifier.{name}=2", [f"classifier.{name}=[2,7]", "classifier.folds=3"]
    made = [build(load("classify", [f"classifier={option}", *by])).keywords["classifier"] for by in ([one], several)]

    assert [sorted(classifier.values) for classifier in made] == [[2], [2, 7]]
    assert made[1].folds == 3
    assert {classifier.parameter for classifier in made} == {name}


def test_own_options(tmp_path):
    """A folder of the user's own is searched too."""
    (tmp_path / "dataset").mkdir()
    (tmp_path / "dataset/cars.yaml").write_text("# Cars.\n_target_: offshelf.dataset.Folder\nroot: /cars\n")

    assert load("classify", ["dataset=cars"], tmp_path).dataset.root == "/cars"


@pytest.mark.parametrize("task", ["classify", "dataset", "extract"])
def test_a_data_set_to_test_on(task):
    """A path, or an option of its own with its keys."""
    words = ["dataset=folder", "dataset.root=x"]
    by_path = load(task, [*words, "dataset.test=y"])
    by_option = load(task, [*words, "dataset@dataset.test=csv", "dataset.test.path=t.csv"])

    assert instantiate(plain(by_path)["dataset"], _convert_="all").test == "y"
    assert instantiate(plain(by_option)["dataset"], _convert_="all").test.path == "t.csv"


def test_target_that_is_not_there(tmp_path):
    """A misspelt class of an own option."""
    (tmp_path / "dataset").mkdir()
    (tmp_path / "dataset/cars.yaml").write_text("_target_: offshelf.dataset.Folde\n")
    with pytest.raises(ConfigError, match=r"offshelf\.dataset\.Folde"):
        load("classify", ["dataset=cars"], tmp_path)


def test_home_is_resolved(tmp_path):
    """`home=` reaches the store, the tracking and the data folder."""
    config = plain(load("classify", [f"home={tmp_path}", "dataset=pets"]))

    assert config["store"]["root"] == f"{tmp_path}/store"
    assert config["tracking"]["home"] == str(tmp_path)
    assert config["dataset"]["root"] == f"{tmp_path}/data"
