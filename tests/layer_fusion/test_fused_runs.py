"""Runs on fused layers, end to end in memory: scikit-learn on the concatenation of the layers is the oracle."""

import json

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler, normalize
from sklearn.svm import LinearSVC

import offshelf
from offshelf.augmentation import View
from offshelf.backbone import Tiny
from offshelf.config import build, load, plain
from offshelf.dataset import Digits
from offshelf.errors import BackboneError, ConfigError
from offshelf.extractor import Extractor, Request, get_or_extract
from offshelf.layer_fusion import Concat, fused_name
from offshelf.postprocess import chain, fit, transform
from offshelf.store import MemoryStore
from offshelf.tasks.features import FeatureSpec

LAYERS = ["block2", "block3"]
FUSED = {
    "backbone": "tiny",
    "layer": LAYERS,
    "layer_fusion": "concat",
    "C": 1.0,
    "bootstrap__replicates": 0,
    "engine": "eager",
}


@pytest.fixture(scope="module")
def digits():
    """Pixels, uint8 [240, 8, 8, 3], and classes."""
    samples = Digits().load().samples[:240]
    return np.stack([sample.image.pixels for sample in samples]), np.array([sample.target for sample in samples])


@pytest.fixture(scope="module")
def parts(digits):
    """The first 160 to train on, the rest to test on."""
    pixels, classes = digits
    return (pixels[:160], classes[:160]), (pixels[160:], classes[160:])


@pytest.fixture(scope="module")
def features(digits):
    """Features of each layer."""
    return offshelf.load_backbone("tiny").encode(digits[0], LAYERS)


@pytest.fixture(scope="module")
def fused(parts, tmp_path_factory):
    """A run."""
    train, test = parts
    folder = tmp_path_factory.mktemp("fused")
    return offshelf.classify(train, test=test, classifier="linear_svm_ovr", output_dir=folder, store=None, **FUSED)


def concatenated(features):
    """The layers' features, each at unit length."""
    return np.concatenate([normalize(features[layer]) for layer in LAYERS], axis=1)


def test_features_are_the_concatenation(features):
    """Of the separately normalised layers."""
    rows = np.concatenate([features[layer] for layer in LAYERS], axis=1)[:, None]
    widths = {layer: features[layer].shape[1] for layer in LAYERS}
    from sklearn.preprocessing import Normalizer

    found = transform(fit(Concat().transformer(Normalizer(), widths), rows), rows)[:, 0]

    np.testing.assert_allclose(found, concatenated(features), rtol=1e-6)


@pytest.mark.slow
def test_accuracy_is_scikit_learns(fused, parts, features):
    """On the concatenation, with the decision values of the same problem."""
    (_, train), (_, test) = parts
    rows = concatenated(features).astype(np.float64)
    svm = LinearSVC(C=1.0, tol=1e-8, max_iter=100_000, dual=True, random_state=0).fit(rows[:160], train)

    assert fused.objective == pytest.approx(svm.score(rows[160:], test), abs=1e-9)
    scale = np.abs(svm.decision_function(rows[160:])).max()
    np.testing.assert_allclose(fused.predictions.scores, svm.decision_function(rows[160:]), atol=2e-3 * scale)


def test_one_result(fused):
    """One row, of the sum of the dimensions, without a baseline; the name says what it is."""
    assert list(fused.table["layer"]) == ["block2 + block3"] == [fused.layer]
    assert list(fused.table["dims"]) == [48]
    assert fused.baselines == ()


def test_the_model_predicts(fused, parts):
    """From the result, and from the file that the run has kept."""
    images = parts[1][0]
    expected = [fused.images.classes[number] for number in fused.predictions.predicted]

    assert list(fused.predict(images)["class"]) == expected
    assert list(offshelf.load(fused.run.folder).predict(images)["class"]) == expected


def test_the_record_names_the_layers(fused):
    import yaml

    config = yaml.safe_load((fused.run.folder / "config.yaml").read_text())

    assert config["layer"] == LAYERS
    assert config["layer_fusion"]["_target_"] == "offshelf.layer_fusion.Concat"
    assert json.loads((fused.run.folder / "metrics.json").read_text())["test/accuracy"] == fused.objective


def test_steps_of_one_layer(parts, features):
    """Fitted on the training images; the other layer has the run's postprocess."""
    train, test = parts
    steps = {"layer_fusion__steps": {"block3": ["standardize"]}}
    run = offshelf.classify(train, test=test, classifier="sklearn_linear_svc", store=None, **FUSED, **steps)
    scaler = StandardScaler().fit(features["block3"][:160])
    rows = np.concatenate([normalize(features["block2"]), scaler.transform(features["block3"])], axis=1)
    svm = LinearSVC(C=1.0, dual="auto", max_iter=5000, random_state=0).fit(rows[:160], train[1])

    assert list(run.predictions.predicted) == list(svm.predict(rows[160:]))


def test_stored_features_are_used(digits):
    """A fused run finds what a run by layer has stored, under the same keys, and the other way round."""
    store, images = MemoryStore(), [sample.image for sample in Digits().load().samples[:20]]
    extractor = Extractor(engine="eager")
    request = Request(Tiny(), tuple(LAYERS), "auto", (View(),))
    apart = get_or_extract(store, extractor, images, request)

    class Views:
        views = (View(),)
        query_views = views

    spec = FeatureSpec(
        dataset=Digits(),
        augmentation=Views(),
        backbone=Tiny(),
        layer=LAYERS,
        pooling="auto",
        extractor=extractor,
        store=store,
        layer_fusion=Concat(),
        baseline=Tiny(seed=1),
    )
    found = spec.extract(images)

    assert (apart.cost.extracted, found.cost.extracted) == (20, 0)
    assert len(spec.requests) == 1
    assert dict(found.widths) == {"block2": 16, "block3": 32}
    np.testing.assert_array_equal(found.values["block2 + block3"], np.concatenate(list(apart.values.values()), axis=-1))


def test_retrieval(digits):
    """Ranks by the cosine of the concatenation of unit vectors, which is the mean of the layers' cosines."""
    pixels, classes = digits
    settings = {key: value for key, value in FUSED.items() if key != "C"}
    run = offshelf.retrieve((pixels[:60], classes[:60]), store=None, **settings)
    features = offshelf.load_backbone("tiny").encode(pixels[:60], LAYERS)
    similar = sum(normalize(features[layer].astype(np.float64)) @ normalize(features[layer]).T for layer in LAYERS)
    np.fill_diagonal(similar, -np.inf)

    assert list(run.table["layer"]) == ["block2 + block3"]
    assert (
        run.chosen.first_QT[:, 1] == similar.argmax(axis=1)
    ).mean() > 0.95  # but for ties; first is the query itself


def test_recommend(tmp_path):
    """A backbone takes part with its layers together; one that cannot is skipped. The command fuses too."""
    words = ["candidates=[pixels,small]", "+backbone@backbones.small=tiny", "layer_fusion=concat", "layer=block*"]
    fast = [
        "classifier=knn",
        "race.first=100",
        "budget=20s",
        "bootstrap.replicates=100",
        "tracking=none",
        "store=memory",
    ]
    config = load("recommend", [*words, *fast, "extractor.engine=eager"])
    run = build(config)(output_dir=str(tmp_path), config=plain(config), arguments=words)

    assert [(row.backbone, row.layer) for row in run.ranking] == [("small", "block1 + block2 + block3")]
    assert "no layer 'block*'" in run.skipped["pixels"]
    assert run.command == "offshelf classify layer_fusion=concat 'layer=block*' backbone=tiny"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ({"layer": "block2"}, "layer_fusion=concat needs several layers, and of tiny there is block2 alone"),
        ({"layer_fusion__steps": {"block1": ["l2"]}}, "names 'block1', which is not fused"),
        ({"layer_fusion__steps": {"block2": ["l3"]}}, "layer_fusion.steps has no step 'l3'; did you mean 'l2'"),
        ({"layer_fusion__steps": {"block2": "l2"}}, "layer_fusion.steps is a group of keys"),
        ({"layer_fusion": "dinov2"}, "layer_fusion=dinov2 chooses the layers itself"),
    ],
)
def test_mistakes(words, why, parts):
    with pytest.raises((BackboneError, ConfigError), match=why):
        offshelf.classify(parts[0], store=None, **{**FUSED, **words})


def test_names():
    assert fused_name(["a"]) == "a"
    assert fused_name(["a", "b", "c"]) == "a + b + c"
    assert fused_name(["a", "b", "c", "d"]) == "a + … + d (4 layers)"


def test_no_steps_leave_a_layer_as_it_is():
    rows = np.array([[3.0, 4.0, 5.0]])
    fitted = Concat(steps={"b": []}).transformer(chain(["l2"]), {"a": 2, "b": 1}).fit(rows)

    np.testing.assert_allclose(fitted.transform(rows), [[0.6, 0.8, 5.0]])
