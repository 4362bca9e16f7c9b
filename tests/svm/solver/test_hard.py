"""Problems made to be hard: no NaN, an honest certificate, and no silence where it falls short."""

import time
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from oracle import best, primal, scaling_of
from sklearn.exceptions import ConvergenceWarning
from svm_paths import in_pytorch

from offshelf.svm import LinearSVM

pytestmark = pytest.mark.usefixtures("either_solver")
TOL = 1e-4
KINDS = st.tuples(st.sampled_from(["hinge", "squared_hinge"]), st.sampled_from(["penalised", "free", "none"]))
POWERS = st.integers(-6, 6).map(lambda power: 10.0**power)
SHAPES = ["easy", "noisy", "separable", "duplicated", "constant", "zero", "power_law", "shifted", "lonely", "opposed"]


def rows_and_labels(shape, rows, dims, classes, seed):
    """Of length about 1, before they are scaled."""
    random = np.random.default_rng(seed)
    targets = np.arange(rows) % classes
    values = random.normal(size=(rows, dims))
    if shape == "easy":
        values += 2 * random.normal(size=(classes, dims))[targets]
    elif shape == "separable":
        values = values / 10 + 5 * random.normal(size=(classes, dims))[targets]
    elif shape == "duplicated":
        values = values[random.integers(0, max(rows // 4, 1), rows)]  # also with other labels
    elif shape == "constant":
        values[:, : max(dims // 2, 1)] = 3.0
    elif shape == "zero":
        values[random.random(rows) < 0.4] = 0
    elif shape == "power_law":
        values = np.abs(values) * np.arange(1.0, dims + 1) ** -2.0
    elif shape == "shifted":
        values = values / 100 + 10
    elif shape == "lonely":
        targets = np.where(np.arange(rows) < classes, np.arange(rows), 0)  # one sample a class, save of the first
    elif shape == "opposed":
        values = np.repeat(values[: -(-rows // 2)], 2, axis=0)[:rows]  # each row once in two classes
    return values / np.sqrt(max(np.mean(np.sum(values**2, axis=1)), 1e-12)), targets


def check(machine, values, targets, steps):
    """One fit against the oracle's optimum of each of its problems; which problems fell short, and the seconds."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        start = time.perf_counter()
        machine.fit(values, targets)
        seconds = time.perf_counter() - start
    texts = [str(one.message) for one in caught if issubclass(one.category, ConvergenceWarning)]
    others = [one for one in caught if not issubclass(one.category, ConvergenceWarning)]

    assert not others, others[0].message
    assert np.isfinite(machine.coef_).all()
    assert np.isfinite(machine.intercept_).all()
    assert not np.isnan(machine.dual_gap_).any()
    assert bool(texts) == bool((machine.dual_gap_ > machine.tol).any())
    assert all(f"{machine.dual_gap_.max():.1e}" in text for text in texts)
    encoding = machine._encoding()
    for task, signs in enumerate(encoding.signs(targets)[:, :].T):
        caps = machine.C * (signs != 0)
        problem = (values, signs.astype(float), caps, machine.loss, scaling_of(machine.bias))
        objective = primal(problem, machine.coef_[task], machine.intercept_[task])
        gap = machine.dual_gap_[task]
        # Margins of 1 are rounded, here too: w is a sum of terms of up to C|x|, and each lack costs C times as much.
        length = np.linalg.norm(values, axis=1)
        rounding = 1e-15 * caps.sum() + 2e-16 * caps.max() * (caps @ length) * length.max()
        optimum = best(problem, steps) * (1 + 1e-7) + rounding
        assert objective * (1 - gap) <= optimum, (objective, gap, optimum)
    return texts, seconds


def bounded(examples):
    """The same examples each time, without a clock."""
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow],
        database=None,
    )


FEW_ROWS = given(
    kind=KINDS,
    shape=st.sampled_from(SHAPES),
    rows=st.integers(4, 60),
    dims=st.integers(1, 60),
    labels=st.sampled_from([(2, "ovr"), (3, "ovr"), (3, "ovo")]),
    scale=POWERS,
    C=POWERS,
    relative=st.booleans(),
    seed=st.integers(0, 3),
)


def of_few_rows(kind, shape, rows, dims, labels, scale, C, relative, seed):
    """C is absolute, or in units of the rows' squared length."""
    values, targets = rows_and_labels(shape, rows, dims, labels[0], seed)
    C = C / scale**2 if relative else C
    machine = LinearSVM(C, loss=kind[0], bias=kind[1], multiclass=labels[1], tol=TOL)
    texts, seconds = check(machine, values * scale, targets, 20_000)
    event("short" if texts else "certified")
    event("slow" if seconds > 2 else "fast")


@in_pytorch("soak")
@pytest.mark.slow
@bounded(80)
@FEW_ROWS
def test_few_rows(**case):
    """In PyTorch too long for every run."""
    of_few_rows(**case)


@pytest.mark.slow
@pytest.mark.parametrize("either_solver", ["in_pytorch"], indirect=True)
@bounded(25)
@FEW_ROWS
def test_few_rows_in_pytorch(**case):
    """As many as every run has the time for."""
    of_few_rows(**case)


@pytest.mark.slow
@bounded(30)
@given(
    kind=KINDS,
    shape=st.sampled_from(SHAPES),
    rows=st.integers(401, 600),
    dims=st.sampled_from([5, 40, 300, 700]),
    labels=st.sampled_from([(2, "ovr"), (3, "ovo")]),
    scale=POWERS,
    C=st.integers(-4, 4).map(lambda power: 10.0**power),
    seed=st.integers(0, 3),
)
def test_many_rows(kind, shape, rows, dims, labels, scale, C, seed):
    """More than are solved to rounding error."""
    values, targets = rows_and_labels(shape, rows, dims, labels[0], seed)
    machine = LinearSVM(C / scale**2, loss=kind[0], bias=kind[1], multiclass=labels[1], tol=TOL)
    texts, seconds = check(machine, values * scale, targets, 300)
    event("short" if texts else "certified")
    event("slow" if seconds > 2 else "fast")


@pytest.mark.parametrize("bias", ["penalised", "free", "none"])
@pytest.mark.parametrize("loss", ["hinge", "squared_hinge"])
def test_nothing_to_see(loss, bias):
    """All rows zero: w = 0, and a bias at best."""
    values, targets = np.zeros((30, 4)), np.arange(30) % 3 == 0
    machine = LinearSVM(loss=loss, bias=bias, tol=TOL).fit(values, targets)

    assert machine.coef_ == pytest.approx(np.zeros((1, 4)), abs=1e-6)
    assert machine.dual_gap_[0] <= TOL
    if bias == "free":
        assert machine.intercept_[0] == pytest.approx(-1.0 if loss == "hinge" else -1 / 3, abs=1e-3)
