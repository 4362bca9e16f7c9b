"""Several labels an image: each is a binary problem of the images that count for it."""

import numpy as np
import pytest
from sklearn.svm import LinearSVC
from test_tuned import option

from offshelf.classifier import Tuned
from offshelf.metric import METRICS, Outcome

SKLEARN = ["sklearn_svc", "sklearn_linear_svc", "sklearn_logistic"]
NAMES = ["linear_svm", "linear_svm_ovr", "logistic", "logistic_ovr", *SKLEARN, "knn"]


@pytest.fixture(scope="module")
def labelled():
    """120 images in two views, three labels, a tenth of them not to be counted."""
    random = np.random.default_rng(0)
    values = random.normal(size=(120, 2, 12)) + random.normal(size=(120, 1, 12))
    signs = np.sign(values.mean(axis=1) @ random.normal(size=(12, 3)) + random.normal(size=(120, 3)) - 0.7)
    return values, np.where(random.random((120, 3)) < 0.1, 0, signs).astype(np.int8)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_labels_are_binary_classifiers(labelled, name):
    """Each label's ranking is that of a classifier that never saw the images which do not count."""
    values, targets = labelled
    setting = {"n_neighbors": 5} if name == "knn" else {"C": 0.5}
    scores = option(name, **setting).fit(values, targets, "mAP_11pt").score(values)
    for label in range(3):
        kept = targets[:, label] != 0
        alone = option(name, **setting).fit(values[kept], (targets[kept, label] > 0).astype(int)).score(values)
        assert np.corrcoef(alone[:, 1], scores[:, label])[0, 1] > 0.9999


def test_hyperparameter_is_chosen_by_the_metric(labelled):
    """Ours and scikit-learn's machine agree on the curve of a VOC-style AP, fold by fold."""
    values, targets = labelled
    ours = option("linear_svm_ovr", C=[0.01, 1.0], folds=3).fit(values, targets, "mAP_11pt")
    theirs = Tuned(LinearSVC(max_iter=100_000, tol=1e-8), C=[0.01, 1.0], folds=3).fit(values, targets, "mAP_11pt")

    assert ours.curve.scores == pytest.approx(theirs.curve.scores, abs=2e-3)
    assert ours.held_out.tolist() == ours.curve.scores[ours.curve.values.index(ours.value)].tolist()


def test_a_value_for_each_label(labelled):
    """As VISSL and mmselfsup choose: the metric is the mean of each label's best."""
    values, targets = labelled
    settings = {"C": [1e-4, 0.01, 1.0, 100.0], "folds": 3}
    node = option("linear_svm_ovr", **settings)
    node.estimator.set_params(select="per_class")
    by_label, joint = (one.fit(values, targets, "mAP_area") for one in (node, option("linear_svm_ovr", **settings)))

    assert by_label.held_out.mean() >= joint.held_out.mean()
    assert by_label.value in settings["C"]
    assert METRICS["mAP_area"](Outcome(targets, by_label.score(values)))[0] > 0.7


@pytest.mark.parametrize("name", NAMES)
def test_label_that_every_image_has(labelled, name):
    """Or none: a constant, and no error."""
    values, targets = labelled
    targets = np.concatenate([targets, np.ones((120, 1), np.int8), -np.ones((120, 1), np.int8)], axis=1)
    setting = {"n_neighbors": 5} if name == "knn" else {"C": 0.5}
    scores = option(name, **setting).fit(values, targets, "mean_auc").score(values)

    assert (scores[:, 3] > 0).all()
    assert (scores[:, 4] <= 0).all()
