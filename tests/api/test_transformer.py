"""`Features` as a scikit-learn transformer."""

import pickle
import warnings

import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC
from sklearn.utils.estimator_checks import check_estimator

import offshelf
from offshelf.api.features import Features
from offshelf.backbone import Tiny
from offshelf.backbone.network import TappedNetwork

NOT_APPLICABLE = {"check_estimator_sparse_tag": "images are not sparse"}
"""Checks of scikit-learn that do not apply, and why; see the notes of `Features`."""


class OfRows(Features):
    """Takes each row of a table of numbers for an image, so that scikit-learn's checks have something to give."""

    def transform(self, X):
        rows = np.asarray(X).astype(np.float16)
        grey = np.stack([np.resize(np.frombuffer(row.tobytes(), np.uint8), (8, 8)) for row in rows])
        return super().transform(np.repeat(grey[..., None], 3, axis=3))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = True
        tags.input_tags.one_d_array = tags.input_tags.three_d_array = False
        return tags


@pytest.mark.slow
def test_scikit_learns_checks():
    """All that apply pass, when each row is made an image."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = check_estimator(
            OfRows("tiny", layer="block1", store=None), expected_failed_checks=NOT_APPLICABLE, on_fail=None
        )
    failed = {check["check_name"]: repr(check["exception"]) for check in found if check["status"] == "failed"}
    passed = [check for check in found if check["status"] == "passed"]

    assert failed == {}
    assert {check["check_name"] for check in found if check["status"] == "xfail"} == set(NOT_APPLICABLE)
    assert len(passed) > 25


def test_equals_encode(digits, tmp_path):
    """One layer, several side by side, and several views averaged."""
    pixels, _ = digits
    net = offshelf.load_backbone("tiny")
    store = str(tmp_path / "store")

    np.testing.assert_array_equal(
        Features("tiny", layer="block2", store=store).fit_transform(pixels), net.encode(pixels, "block2")
    )
    several = Features("tiny", layer=["block1", "block3"], store=None).fit_transform(pixels)
    np.testing.assert_array_equal(several, np.hstack([net.encode(pixels, name) for name in ("block1", "block3")]))
    views = Features("tiny", augmentation="mirror", store=None).transform(pixels)
    np.testing.assert_array_equal(views, net.encode(pixels, augmentation="mirror").mean(axis=1))
    assert Features("tiny", store=None).transform(pixels[0]).shape == (1, 32)


def test_params_clone_pickle():
    """By name, without weights."""
    features = Features("efficientnet_lite0", layer="blocks.5", batch_size=8)
    copied, pickled = clone(features), pickle.dumps(features)

    assert copied.get_params() == features.get_params()
    assert copied.set_params(layer="blocks.4").layer == "blocks.4"
    assert len(pickled) < 500 and b"blocks.5" in pickled
    assert pickle.loads(pickled).get_params() == features.get_params()
    handle = offshelf.load_backbone("tiny", seed=1)
    assert clone(Features(handle)).backbone is handle
    assert pickle.loads(pickle.dumps(Features(handle))).backbone == handle


def test_names_and_frames(digits):
    """Columns are named by layer; `set_output` gives a frame with the index of a Series."""
    pd = pytest.importorskip("pandas")
    features = Features("tiny", layer=["block1", "block2"], store=None)

    assert list(features.get_feature_names_out()[[0, 7, 8, 23]]) == ["block1_0", "block1_7", "block2_0", "block2_15"]
    frame = features.set_output(transform="pandas").transform(digits[0][:3])
    assert list(frame.columns) == list(features.get_feature_names_out())
    assert isinstance(frame, pd.DataFrame) and frame.shape == (3, 24)
    with config_context(transform_output="default"):
        assert "Features" in Features("tiny")._repr_html_()


def test_layers_cost_one_pass(digits, monkeypatch, home):
    """A search over layers and folds passes each image through the network once."""
    pixels, classes = digits
    passed = []
    seen = TappedNetwork.features

    def count(self, images, layers, pooling, whole=False):
        passed.append((len(images), tuple(layers)))
        return seen(self, images, layers, pooling, whole)

    monkeypatch.setattr(TappedNetwork, "features", count)
    pipe = make_pipeline(Features("tiny", batch_size=2), LinearSVC(C=1.0))
    search = GridSearchCV(pipe, {"features__layer": ["block1", "block2", "block3"]}, cv=2)

    search.fit(pixels, classes)

    assert {layers for _, layers in passed} == {("block1", "block2", "block3")}
    assert 60 <= sum(count for count, _ in passed) < 75  # an extraction's first batch is seen twice, its last filled
    assert search.best_params_["features__layer"] in ("block1", "block2", "block3")
    passed.clear()
    search.predict(pixels)
    assert not passed


def test_pipeline_with_the_solver(folder):
    """From paths to classes; offshelf's own SVM chooses C."""
    _, paths = folder
    labels = [path.parent.name for path in paths]
    pipe = make_pipeline(
        offshelf.Features("tiny", layer="block3"), offshelf.LinearSVMCV(Cs=(1.0, 100.0), cv=2, warn_at_edge=False)
    )

    assert pipe.fit(paths, labels).score(paths, labels) > 0.8


def test_mistakes(digits, tmp_path):
    """Are found when it is fitted, in the sentences of the command line."""
    for features, sentence in (
        (Features("tinny"), "backbone has no option 'tinny'; did you mean 'tiny'"),
        (Features("tiny", layer="blok1"), "no layer 'blok1'; did you mean 'block1'"),
    ):
        with pytest.raises(offshelf.OffshelfError, match=sentence):
            features.fit(digits[0])
    with pytest.raises(offshelf.BadImagesError, match="row 1"):
        Features("tiny", store=None).transform([digits[0][0], 3])


def test_module_keeps_features_in_memory(digits, home, monkeypatch):
    """Of a network that was given as an object; the handle shares them among clones."""
    handle = offshelf.load_backbone(Tiny().load().module, sees={"crop": 32, "resize": 32})
    features = Features(handle, layer="0")
    first = features.transform(digits[0])
    monkeypatch.setattr(TappedNetwork, "features", lambda *_: pytest.fail("a pass"))

    np.testing.assert_array_equal(clone(features).set_params(layer="0").transform(digits[0]), first)
    assert not (home / "store").exists()
