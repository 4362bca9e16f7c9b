"""k nearest neighbours against DINO's evaluation in plain NumPy, scikit-learn, and cases by hand."""

import logging

import numpy as np
import pytest
import skops.io
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, LeaveOneOut, StratifiedKFold, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from offshelf.classifier import Tuned
from offshelf.errors import ConfigError
from offshelf.knn import KNNProbe, knn_probe

NEAREST = {"distance": "l2", "temperature": None}


@pytest.fixture(scope="module")
def digits():
    """Train values [N, D] and targets, test values and targets."""
    values, targets = load_digits(return_X_y=True)
    return values[::3], targets[::3], values[1::6], targets[1::6]


def dino(train, targets, test, k, temperature=0.07):
    """`knn_classifier` of DINO's eval_knn.py, one image at a time: the sums of weights of the classes."""
    train, test = (values / np.linalg.norm(values, axis=1, keepdims=True) for values in (train, test))
    votes = np.zeros((len(test), targets.max() + 1))
    for image, similarities in enumerate(test @ train.T):
        for neighbour in np.argsort(-similarities, kind="stable")[:k]:
            votes[image, targets[neighbour]] += np.exp(similarities[neighbour] / temperature)
    return votes


def without(values, targets, groups, k):
    """DINO's votes on each row by the rows of other groups."""
    return np.concatenate(
        [
            dino(values[groups != own], targets[groups != own], values[row : row + 1], k)
            for row, own in enumerate(groups)
        ]
    )


UNWEIGHTED = (
    *("check_sample_weights_list", "check_all_zero_sample_weights_error", "check_sample_weights_not_overwritten"),
    *("check_sample_weight_equivalence_on_dense_data", "check_classifiers_one_label_sample_weights"),
)


@pytest.mark.filterwarnings("ignore:invalid value encountered in cast")  # of type_of_target, for infinite labels
def test_it_is_an_estimator_of_scikit_learn():
    """Its own checks."""
    expected = dict.fromkeys(UNWEIGHTED, "rows of one label have no weights")
    check_estimator(KNNProbe(n_neighbors=1), expected_failed_checks=expected, on_skip=None)


@pytest.mark.parametrize("k", [10, 20, 100, 200])
def test_votes_are_dinos(digits, k):
    """The shares of its weighted votes, and so its predictions."""
    train, targets, test, truth = digits
    probe = KNNProbe(k).fit(train, targets)
    votes = dino(train, targets, test, k)

    assert probe.predict_proba(test) == pytest.approx(votes / votes.sum(axis=1, keepdims=True))
    assert (probe.predict(test) == votes.argmax(axis=1)).all()
    assert probe.score(test, truth) > 0.9


def test_nearest_neighbour_is_scikit_learns(digits):
    """By Euclidean distance."""
    train, targets, test, _ = digits
    theirs = KNeighborsClassifier(1, algorithm="brute").fit(train, targets)

    assert (KNNProbe(1, **NEAREST).fit(train, targets).predict(test) == theirs.predict(test)).all()


def test_equal_votes_are_scikit_learns_shares(digits):
    """In float64, without ties of distances."""
    train, targets, test, _ = digits
    random = np.random.default_rng(0)
    train, test = (values + random.normal(scale=1e-3, size=values.shape) for values in (train, test))
    theirs = KNeighborsClassifier(7, algorithm="brute").fit(train, targets)

    assert KNNProbe(7, **NEAREST).fit(train, targets).predict_proba(test) == pytest.approx(theirs.predict_proba(test))


@pytest.mark.slow
def test_k_is_chosen_by_leave_one_out_in_one_search(digits, monkeypatch):
    """The mean over five parts of the accuracy of scikit-learn's leave-one-out, for each k."""
    train, targets, _, _ = digits
    train, targets = train[:200] + np.random.default_rng(0).normal(scale=1e-3, size=(200, 64)), targets[:200]
    searches, find = [], knn_probe.find
    monkeypatch.setattr(knn_probe, "find", lambda *given: searches.append(given[2]) or find(*given))
    probe = KNNProbe((1, 5, 25), **NEAREST, random_state=3, warn_at_edge=False).fit(train, targets)
    parts = [part for _, part in StratifiedKFold(5, shuffle=True, random_state=3).split(train, targets)]
    for row, k in enumerate((25, 5, 1)):
        predicted = cross_val_predict(KNeighborsClassifier(k, algorithm="brute"), train, targets, cv=LeaveOneOut())
        expected = [np.mean(predicted[part] == targets[part]) for part in parts]
        assert [probe.cv_results_[f"split{part}_test_score"][row] for part in range(5)] == pytest.approx(expected)
        if k == probe.n_neighbors_:
            assert probe.held_out_score_ == pytest.approx(expected)

    assert searches == [26]
    assert probe.n_neighbors_ == [25, 5, 1][int(probe.cv_results_["mean_test_score"].argmax())]


@pytest.mark.parametrize("fusion", ["sum", "max"])
def test_other_views_of_an_image_are_not_its_neighbours(digits, fusion):
    """Rows of one group, in any order; the responses to them are fused."""
    train, targets, _, _ = digits
    views = np.stack([train[:80], np.roll(train[:80], 1, axis=1), train[:80] * 1.5], axis=1)
    order = np.random.default_rng(1).permutation(240)
    rows, groups = views.reshape(240, 64)[order], np.repeat(np.arange(80), 3)[order]
    labels = targets[:80][groups]
    seen = []

    def scoring(y, responses, weights):
        seen.append((y, responses))
        return np.mean(responses.argmax(axis=1) == y)

    KNNProbe(6, validate=True, cv=2, scoring=scoring, fusion=fusion).fit(rows, labels, groups=groups)
    votes = without(rows, labels, groups, 6)
    shares = votes / votes.sum(axis=1, keepdims=True)
    fused = np.stack([getattr(shares[groups == image], fusion)(axis=0) for image in range(80)])
    parts = [part for _, part in StratifiedKFold(2, shuffle=True, random_state=0).split(fused, targets[:80])]

    assert np.concatenate([responses for _, responses in seen]) == pytest.approx(fused[np.concatenate(parts)])
    assert (np.concatenate([y for y, _ in seen]) == targets[:80][np.concatenate(parts)]).all()


def test_ties_by_hand():
    """Of equally near rows the first is nearer; of equal votes the first class wins; half of the votes is no label."""
    corners = np.array([[1.0, 0], [0, 1], [-1, 0], [0, -1]])
    centre = np.zeros((1, 2))
    for labels, expected in (([1, 0, 0, 0], 1), ([0, 1, 1, 1], 0)):
        assert KNNProbe(1, **NEAREST).fit(corners, labels).predict(centre) == expected
    shares = KNNProbe(4, **NEAREST).fit(corners, ["c", "b", "b", "c"])

    assert shares.predict_proba(centre).tolist() == [[0.5, 0.5]]
    assert shares.predict(centre) == ["b"]
    mirrored = KNNProbe(4).fit(np.array([[1.0, 2], [2, 1], [1, -0.5], [-0.5, 1]]), [1, 0, 1, 0])
    assert mirrored.predict_proba(np.ones((1, 2))).tolist() == [[0.5, 0.5]]  # weighted, pair by pair equal
    several = KNNProbe(4, **NEAREST).fit(corners, np.array([[1, 1], [1, 1], [0, 1], [0, 0]]))
    assert several.predict(centre).tolist() == [[0, 1]]
    assert several.decision_function(centre).tolist() == [[0, 0.25]]


def test_of_equally_good_k_the_largest_is_chosen():
    """Two far groups, in which every k is right."""
    values = np.repeat([[0.0, 5.0], [5.0, 0.0]], 10, axis=0) + np.arange(20)[:, None] / 100
    probe = KNNProbe((1, 3, 5), cv=2, warn_at_edge=False).fit(values, np.repeat([0, 1], 10))

    assert probe.n_neighbors_ == 5
    assert probe.cv_results_["n_neighbors"].tolist() == [5, 3, 1]


@pytest.mark.parametrize("k", [(2, 9), 2])
def test_labels_are_judged_by_the_rows_that_count(k):
    """As a probe of these rows alone, also by leave-one-out."""
    random = np.random.default_rng(0)
    values, counts = random.normal(size=(60, 4)), (random.random((60, 3)) < 0.6).astype(float)
    counts[:, 2] = 0
    labels = (values[:, :3] + random.normal(size=(60, 3)) > 0).astype(int)
    probe = KNNProbe(k, cv=3, warn_at_edge=False).fit(values, labels, counts)
    for label in range(2):
        kept = counts[:, label] > 0
        alone = KNNProbe(probe.n_neighbors_).fit(values[kept], labels[kept, label])
        assert probe.predict_proba(values)[:, label] == pytest.approx(alone.predict_proba(values)[:, 1])
    assert (probe.predict_proba(values)[:, 2] == 0).all()


def test_works_with_scikit_learn(digits, tmp_path):
    """Pipelines, grid searches, clones, skops files; one class, and one row."""
    train, targets, test, _ = digits
    pipe = make_pipeline(StandardScaler(), KNNProbe(5, warn_at_edge=False))
    search = GridSearchCV(pipe, {"knnprobe__n_neighbors": [1, (3, 9)]}, cv=2).fit(train[:200], targets[:200])
    skops.io.dump(search.best_estimator_, tmp_path / "model.skops")
    read = skops.io.load(tmp_path / "model.skops", trusted=["offshelf.knn.knn_probe.KNNProbe"])

    np.testing.assert_array_equal(read.predict_proba(test), search.predict_proba(test))
    assert clone(pipe).get_params()["knnprobe__temperature"] == 0.07
    assert KNNProbe(1).fit([[1.0, 2.0]], ["only"]).predict([[0.0, 1.0]]).tolist() == ["only"]


def test_small_temperatures_and_zeros():
    """Weights beyond the range of numbers: the nearest decides. A vector of zeros has cosine 0 to all."""
    values = np.array([[1.0, 0], [0.9, 0.1], [0.8, 0.2], [0, 0]])
    probe = KNNProbe(3, temperature=1e-5).fit(values, [0, 1, 1, 1])

    assert probe.predict_proba([[1.0, 0]]) == pytest.approx(np.array([[1, 0]]))
    assert KNNProbe(3).fit(values, [0, 1, 1, 1]).predict_proba([[0.0, 0]]) == pytest.approx(np.array([[1 / 3, 2 / 3]]))


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"n_neighbors": 0}, "positive whole number"),
        ({"n_neighbors": ()}, "positive whole number"),
        ({"n_neighbors": 21}, "more than the 20 training rows"),
        ({"n_neighbors": (20, 30)}, "more than the 19 training rows"),
        ({"distance": "l1"}, "distance must be one of cosine, l2"),
        ({"distance": "l2"}, r"set temperature to None \(null\)"),
        ({"temperature": 0}, "temperature must be a positive number"),
        ({"fusion": "median"}, "fusion must be"),
    ],
)
def test_what_is_refused(settings, why):
    values = np.random.default_rng(0).normal(size=(20, 3))
    with pytest.raises(ValueError, match=why):
        KNNProbe(**settings).fit(values, np.arange(20) % 2)


def test_edges_and_large_values_are_reported(digits, caplog):
    """By the estimator as warnings; in a run as one line, beside its remark on the curve."""
    train, targets, _, _ = digits
    with pytest.warns(UserWarning) as told:
        KNNProbe((5, 29, 30), **NEAREST, cv=2).fit(np.arange(30)[:, None], np.arange(30) // 15)
    assert [str(one.message).partition(":")[0] for one in told] == [
        "There are 29 rows",
        "The best n_neighbors, 5, is at the edge of the grid.",
    ]
    with caplog.at_level(logging.WARNING):
        fit = Tuned(KNNProbe(), n_neighbors=[1, 20, 100, 200], folds=3).fit(train[:60, None], targets[:60])

    assert fit.curve.values == (20, 1)
    assert fit.curve.parameter == "n_neighbors"
    said = "n_neighbors=100, 200 left out: there are 60 training images."
    assert [record.message for record in caplog.records] == [said]
    with pytest.raises(ConfigError, match="KNNProbe cannot be used with these settings: n_neighbors=100 is more than"):
        Tuned(KNNProbe(), n_neighbors=100).fit(train[:60, None], targets[:60])


def test_a_single_value_is_validated_as_several_are(digits):
    """By leave-one-out, so that jobs of a sweep over k are compared as its values in one run."""
    train, targets, _, _ = digits
    alone = Tuned(KNNProbe(), n_neighbors=5, validate=True).fit(train[:, None], targets)
    among = Tuned(KNNProbe(), n_neighbors=[5, 50]).fit(train[:, None], targets)

    assert alone.held_out.tolist() == among.curve.scores[among.curve.values.index(5)].tolist()
    assert Tuned(KNNProbe(), n_neighbors=5).fit(train[:, None], targets).held_out is None
