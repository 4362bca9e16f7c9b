"""Classes that are told apart by few support vectors: solved where they are, without another method."""

import numpy as np
import pytest

from offshelf.svm import LinearSVM, native

pytestmark = pytest.mark.skipif(not native.is_available(), reason="offshelf was installed without a C compiler")


def far_apart(rows, dims, classes):
    """Rectified normal numbers around means of classes, of length 1: like deep features of easy classes."""
    random = np.random.default_rng(0)
    y = np.arange(rows) % classes
    spectrum = np.arange(1, dims + 1) ** -0.5
    means = random.normal(size=(classes, dims)) * spectrum
    X = np.maximum(2 * means[y] + random.normal(size=(rows, dims)) * 0.15 * spectrum + 0.3 * spectrum, 0)
    return (X / np.linalg.norm(X, axis=1, keepdims=True)).astype(np.float32), y


def objective(model, X, signs, column):
    """The primal objective of one class in float64."""
    w, b = model.coef_[column].astype(float), float(model.intercept_[column])
    slack = np.maximum(1 - signs * (X @ w + b), 0)
    loss = slack @ slack if model.loss == "squared_hinge" else slack.sum()
    return (w @ w + (b * b if model.bias == "penalised" else 0)) / 2 + model.C * loss


@pytest.mark.parametrize("bias", ["free", "penalised", "none"])
@pytest.mark.parametrize("loss", ["hinge", "squared_hinge"])
@pytest.mark.parametrize(("shape", "C"), [((3000, 27, 6), 0.5), ((3000, 55, 4), 9000.0), ((1500, 900, 3), 20.0)])
def test_solved_by_its_own_method(shape, C, loss, bias):
    """To the tolerance, which is certified; scikit-learn's solution is no better than the gap allows."""
    from sklearn.svm import LinearSVC

    X, y = far_apart(*shape)
    model = LinearSVM(C, multiclass="ovr", loss=loss, bias=bias).fit(X, y)
    assert (model.method_, model.n_fallback_tasks_) == ("binary", 0)
    assert np.max(model.dual_gap_) <= 1e-4
    if bias == "penalised":
        other = LinearSVC(C=C, loss=loss, dual=True, tol=1e-6, max_iter=20_000, random_state=0)
        signs = np.where(y == 1, 1.0, -1.0)
        best = objective(_named(other.fit(X.astype(float), signs), loss, C), X, signs, 0)
        assert objective(model, X, signs, 1) <= best * (1 + 2e-4)


def _named(fitted, loss, C):
    """What `objective` reads of scikit-learn's estimator of one class."""
    fitted.bias, fitted.loss, fitted.C = "penalised", loss, C
    return fitted
