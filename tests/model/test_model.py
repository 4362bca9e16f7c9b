"""Models as files: what comes back scores the same, and nothing that is read is executed."""

import json
from pathlib import Path

import numpy as np
import pytest
from hydra.utils import instantiate
from safetensors.numpy import save
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.preprocessing import FunctionTransformer, Normalizer
from skops.io import dumps

from offshelf.classifier import Scorer
from offshelf.config import conf_dir, load, plain
from offshelf.errors import ModelError
from offshelf.metric import kind_of
from offshelf.model import Model
from offshelf.model.serialise import pack, unpack
from offshelf.postprocess import fit

CLASSIFIERS = sorted(path.stem for path in (conf_dir() / "classifier").glob("*.yaml"))
POSTPROCESSES = sorted(path.stem for path in (conf_dir() / "postprocess").glob("*.yaml"))

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore:.*possible to draw.*")


def option(*overrides):
    """The transformer and the classifier of a command line."""
    config = plain(load("classify", list(overrides)))
    return [instantiate(config[group], _convert_="all") for group in ("postprocess", "classifier")]


def images(classes, count=60, dims=20):
    """Features of two views, float32 [count, 2, dims], and targets, of classes that can be told apart."""
    random = np.random.default_rng(0)
    targets = np.arange(count) % classes
    values = random.normal(size=(count, 2, dims)) + 2 * np.eye(classes, dims)[targets][:, None]
    return values.astype(np.float32), targets


def fitted(transformer, classifier, values, targets, metric="accuracy"):
    """A model, and the scores of the fit that it is made from."""
    ready = fit(transformer, values)
    rows = ready.transform(values.reshape(-1, values.shape[-1])).reshape(*values.shape[:2], -1)
    found = classifier.fit(rows, targets, metric)
    names = tuple("abcd"[: targets.shape[1] if targets.ndim == 2 else int(targets.max()) + 1])
    return Model(("last",), "digest", names, kind_of(targets), ready, found.scorer), found.score(rows)


def again(model, folder):
    """The model, written and read."""
    path = Path(folder) / "model.safetensors"
    path.write_bytes(model.to_bytes())
    return Model.read(path)


@pytest.mark.slow
@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_every_classifier_scores_the_same(name, classes, tmp_path):
    """Up to the order in which BLAS adds, for two classes and several."""
    values, targets = images(classes)
    is_number = name == "ridge"
    kind = (targets.astype(float), "r2") if is_number else (targets, "accuracy")
    model, scores = fitted(*option(f"classifier={name}"), values, *kind)
    read = again(model, tmp_path)

    assert read.kind == ("number" if is_number else "class")
    assert read.score(values) == pytest.approx(scores, rel=1e-12)
    assert (read.layer, read.features, read.classes) == ("last", "digest", model.classes)
    assert not read.is_multilabel


@pytest.mark.slow
@pytest.mark.parametrize("name", POSTPROCESSES)
def test_every_postprocess_transforms_the_same(name, tmp_path):
    """Also where something is learnt of the training features."""
    values, targets = images(3)
    few = ["postprocess.components=5"] if "pca" in name else []
    model, scores = fitted(*option(f"postprocess={name}", *few), values, targets)

    assert again(model, tmp_path).score(values) == pytest.approx(scores, rel=1e-12)


@pytest.mark.parametrize("name", ["linear_svm", "logistic", "sklearn_logistic"])
def test_several_labels(name, tmp_path):
    """Each label's own classifier comes back."""
    values, first = images(2)
    targets = np.stack([2 * first - 1, np.where(np.arange(60) % 3, 1, -1)], axis=1).astype(np.int8)
    model, scores = fitted(*option(f"classifier={name}", "classifier.C=1"), values, targets, "mAP_11pt")
    read = again(model, tmp_path)

    assert read.is_multilabel
    assert read.score(values) == pytest.approx(scores, rel=1e-12)


@pytest.mark.parametrize("fusion", ["max", "features"])
def test_what_becomes_of_views_is_kept(fusion, tmp_path):
    """An image's views are fused as they were."""
    values, targets = images(3)
    model, scores = fitted(*option(f"classifier.fusion={fusion}", "classifier.C=1"), values, targets)

    assert again(model, tmp_path).score(values) == pytest.approx(scores, rel=1e-12)


def test_a_linear_model_is_as_large_as_its_weights():
    """Three classes one-vs-rest: 3 x (20 weights and a bias) in float64; no training image is kept."""
    values, targets = images(3)
    model, _ = fitted(*option("classifier=linear_svm_ovr", "classifier.C=1"), values, targets)
    slim = len(model.to_bytes())

    assert slim < 3 * 21 * 8 + 1500
    assert slim == len(fitted(*option("classifier=linear_svm_ovr", "classifier.C=1"), *images(3, 600))[0].to_bytes())


def test_size_counts_what_neighbours_keep():
    """All training features, in float32 as they come."""
    values, targets = images(2)
    model, _ = fitted(*option("classifier=knn"), values, targets)

    assert 120 * 20 * 4 <= model.size < 2 * 120 * 20 * 4


class Stranger(BaseEstimator):
    """A class that only this file knows."""


def test_strangers_are_not_kept():
    """What could not be read back without trusting it."""
    with pytest.raises(ModelError, match=r"Stranger cannot be kept: .* not .*Stranger\."):
        pack(Stranger(), "estimator", {})


def test_strangers_are_not_read():
    """A file that names another's class is refused, not imported."""
    arrays = {"estimator": np.frombuffer(dumps(Stranger()), np.uint8)}

    with pytest.raises(ModelError, match=r"not read: only scikit-learn's .* not .*Stranger"):
        unpack({"kind": "skops"}, "estimator", arrays)


def test_others_of_scikit_learn_are_kept():
    """Any estimator of its own."""
    values, targets = images(2)
    rows = values[:, 0]
    arrays = {}
    made = unpack(pack(GaussianNB().fit(rows, targets), "estimator", arrays), "estimator", arrays)

    assert (made.predict_proba(rows) == GaussianNB().fit(rows, targets).predict_proba(rows)).all()


def hostile(part):
    """A model file with a part that nobody has packed."""
    described = {"format": 1, "layer": "a", "features": "", "classes": [], "is_multilabel": False, "estimator": part}
    return save({"a": np.zeros(2)}, {"offshelf": json.dumps({**described, "fusion": "sum", "transformer": part})})


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"no model", "cannot be read as a model"),
        (save({"a": np.zeros(2)}), "is not a model of offshelf"),
        (save({"a": np.zeros(2)}, {"offshelf": json.dumps({"format": 99})}), "another release"),
        (save({"a": np.zeros(2)}, {"offshelf": json.dumps({"format": 1})}), "is not a model of offshelf: KeyError"),
        (save({"a": np.zeros(2)}, {"offshelf": "[" * 100_000}), "cannot be read as a model"),
        (hostile({"kind": ["Normalizer"]}), "is not a model of offshelf: TypeError"),
        (hostile({"kind": "Pipeline", "steps": 3}), "is not a model of offshelf: TypeError"),
        (hostile({"kind": "os.getcwd"}), "which this offshelf does not know"),
        (hostile({"kind": "skops"}), "is not a model of offshelf: KeyError"),
    ],
)
def test_other_files_are_refused(data, message, tmp_path):
    """In a sentence."""
    path = tmp_path / "model.safetensors"
    path.write_bytes(data)

    with pytest.raises(ModelError, match=message):
        Model.read(path)


@pytest.mark.parametrize("function", [np.load, np.fromfile, Path.unlink, json.loads])
def test_functions_are_not_kept(function):
    """Such as a transformer may hold: they do what they do when it is used."""
    with pytest.raises(ModelError, match="cannot be"):
        pack(FunctionTransformer(function), "transformer", {})


def test_settings_are_those_of_the_kind():
    """A header gives a part nothing else."""
    made = unpack({"kind": "SignedPower", "settings": {"power": 3, "other": 1}, "fitted": {"fit": 1}}, "t", {})

    assert made.power == 3
    assert callable(made.fit)


def test_unknown_parts_are_refused():
    """A part of a later release."""
    with pytest.raises(ModelError, match="kind 'Later'"):
        unpack({"kind": "Later"}, "estimator", {})


def test_a_scorer_is_what_a_fit_keeps():
    """Its estimator is fitted, its score the fit's."""
    values, targets = images(2)
    _, classifier = option("classifier.C=1")
    found = classifier.fit(values, targets)

    assert isinstance(found.scorer, Scorer)
    assert (found.scorer(values) == found.score(values)).all()


@pytest.mark.parametrize(
    ("entry", "value"),
    [
        *(("classes", value) for value in ("abc", [1, 2], [["a"], "b"], None)),
        *(("layers", value) for value in ("last", [5], [], None)),
        *(("kind", value) for value in ("no", 0, None)),
        *(("fusion", value) for value in ("median", None)),
        ("averages_features", 1),
        *(("value_range", value) for value in ([1, 1], [2, 1], ["a", "b"], [float("nan"), 1], [1], 5)),
    ],
)
def test_descriptions_of_others_are_questioned(entry, value, tmp_path):
    """A file may be anybody's: what no model is described by is refused, and not taken for something else."""
    sound = tmp_path / "model.safetensors"
    values = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    fitted = LogisticRegression().fit(values, np.arange(20) % 2)
    model = Model(("last",), "f", ("a", "b"), "class", Normalizer().fit(values), Scorer(fitted, "sum", False))
    sound.write_bytes(model.to_bytes())
    data = sound.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    described = json.loads(header["__metadata__"]["offshelf"])
    header["__metadata__"]["offshelf"] = json.dumps({**described, entry: value})
    text = json.dumps(header).encode()
    assert Model.read(sound).classes == ("a", "b")
    sound.write_bytes(len(text).to_bytes(8, "little") + text + data[8 + length :])
    with pytest.raises(ModelError, match="is not a model of offshelf"):
        Model.read(sound)
