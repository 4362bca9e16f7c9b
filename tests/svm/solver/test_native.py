"""The compiled parts of the solver: what they are given, and what happens without them."""

import ctypes
import platform
import runpy
from pathlib import Path

import numpy as np
import pytest
from oracle import primal
from svm_paths import CS, TOL, made, problem_of, solved_by

from offshelf.svm import native
from offshelf.svm.solver import solve

needs_library = pytest.mark.skipif(not native.is_available(), reason="offshelf was installed without a C compiler")


@pytest.fixture(params=native.VERSIONS)
def version(request, monkeypatch):
    """Each version of the library that this processor can run, on its own."""
    if not native.is_available() or request.param not in native.versions():
        pytest.skip(f"no library for {request.param} processors here")
    monkeypatch.setattr(native, "versions", lambda: [request.param])
    native._library.cache_clear()
    yield request.param
    native._library.cache_clear()


def test_gather(version):
    """Some rows and the same columns, in any order: as many as are brought at a time, and one more."""
    matrix = np.arange(81, dtype=np.float32).reshape(9, 9)
    for rows in (np.array([4, 0, 3]), np.array([8, 2, 5, 1]), np.array([7, 8, 0, 3, 6])):
        assert (native.gather_submatrix(matrix, rows) == matrix[np.ix_(rows, rows)]).all()


@pytest.mark.parametrize("count", [0, 1, 4, 6, 700])
def test_multiply_sparse(count, version):
    """As with all columns, for vectors of few entries, of all, and of none; more rows than a block."""
    random = np.random.default_rng(0)
    matrix, x = random.normal(size=(700, 700)).astype(np.float32), np.zeros(700, np.float32)
    matrix += matrix.T
    x[random.permutation(700)[:count]] = random.normal(size=count)
    assert native.multiply_sparse(matrix, x) == pytest.approx(matrix.astype(float) @ x, abs=1e-3)


@pytest.mark.parametrize("count", [1, 3, 16, 63, 64, 65, 150])
def test_solve_among(count, version):
    """As in float64: as many rows as make a vector, a few of them, and one more or less; in any order."""
    random = np.random.default_rng(count)
    half, rows = random.normal(size=(200, 400)).astype(np.float32), random.permutation(200)[:count]
    K, e, b = half @ half.T / 400, random.random(200).astype(np.float32), random.normal(size=count).astype(np.float32)
    matrix = K[np.ix_(rows, rows)].astype(float) + 0.5 + np.diag(e[rows])

    found = b.copy()
    assert native.newton_solve(K, 0.5, e, rows, found)
    assert found == pytest.approx(np.linalg.solve(matrix, b), abs=1e-4)


def test_solve_among_rows_that_depend_on_each_other(version):
    """A matrix with a negative eigenvalue, in the last row, has no factor, and b stays."""
    K, b = np.eye(20, dtype=np.float32), np.ones(20, np.float32)
    K[18, 19] = K[19, 18] = 2
    assert not native.newton_solve(K, 0.0, np.zeros(20, np.float32), np.arange(20), b)
    assert (b == 1).all()


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["hinge", "squared_hinge"])
@pytest.mark.parametrize("method", ["dual", "binary", "ovo"])
def test_every_version_solves(method, loss, version):
    """To the same optimum as the primal solver, which is not compiled."""
    values, problems = made(500, 40, loss, "penalised", folds=2)
    for ours, theirs in zip(solved_by(method, values, problems), solved_by("primal", values, problems), strict=True):
        assert ours[0].gap_KV.max() <= TOL
        for task in range(3):
            problem = problem_of(values, problems, task, ours[0].C)
            optimum = primal(problem, theirs[1][:, task], theirs[2][task])
            assert primal(problem, ours[1][:, task], ours[2][task]) == pytest.approx(optimum, rel=2 * TOL)


@needs_library
def test_the_best_version():
    """It is the last one, and what every processor can run is the first."""
    found = native.versions()
    assert found[0] == "any"
    assert found == [version for version in native.VERSIONS if version in found]
    assert native._library()._name == str(native._path(found[-1]))


def test_complementarity(version):
    """By hand: hinge α·yg + U·max(0, −yg); squared hinge α(yf − 1) + ξ²/2e + eα²/2; nothing for a row without a say."""
    y, upper = np.array([1, -1, 1], np.float32), np.array([2.0, 2.0, 0.0])
    beta, gradient = np.array([0.5, -1.0, 0.0]), np.array([0.25, 3.0, 7.0], np.float32)
    e = np.array([0.0, 0.0, 0.0], np.float32)
    assert native.duality_gap((e, upper, y), (beta, gradient)) == pytest.approx(0.5 * 0.25 + (1.0 * -3.0 + 2.0 * 3.0))

    margin, half = 0.25 - 0.5 * 0.5, np.array([0.5, 0.5, 0.5], np.float32)
    other = -3.0 - 0.5 * 1.0  # of the second row: below 1 by 3.5
    expected = 0.5 * margin + 0.5 * 0.5**2 / 2 + (1.0 * other + 3.5**2 / (2 * 0.5) + 0.5 * 1.0**2 / 2)
    assert native.duality_gap((half, upper, y), (beta, gradient)) == pytest.approx(expected)


@needs_library
def test_arrays_of_another_type():
    """They are refused before anything reads them: no memory is misread."""
    matrix, rows = np.zeros((4, 4)), np.array([0, 1])
    for given in (
        (matrix, rows),
        (matrix.astype(np.float32)[::2], rows),
        (matrix.astype(np.float32), rows.astype(np.int32)),
    ):
        with pytest.raises(ctypes.ArgumentError):
            native.gather_submatrix(*given)
    for rows_RD in (matrix.astype(int), np.asfortranarray(matrix)):
        with pytest.raises(TypeError, match="rows are float32 or float64 in C's order"):
            native.describe_rows(rows_RD, np.zeros(4, np.int32), 1)
    with pytest.raises(TypeError, match="products is float64 in C's order; got float32"):
        native.OvoBatch(products=matrix.astype(np.float32))
    with pytest.raises(TypeError, match="products is float64 in C's order"):
        native.OvoBatch(products=np.zeros((4, 4)).T[1:])
    with pytest.raises(TypeError, match="groups is int32 in C's order; got int64"):
        native.BinaryBatch(source=matrix, groups=rows)


def test_missing_library(monkeypatch):
    """Every problem is solved all the same, and the user told why it takes longer."""
    monkeypatch.setattr(native, "why_unavailable", lambda: "it was not built")
    values, problems = made(90, 40, "hinge", "penalised")
    with pytest.warns(RuntimeWarning, match="compiled solver is not used: it was not built. .* Install a C compiler"):
        solved = list(solve(values, problems, CS, TOL))
    assert all((solution.gap_KV <= TOL).all() for _, solution in solved)
    assert len(solved) == len(CS)


@needs_library
def test_same_layouts_in_C_and_Python(version):
    """What is shared is compared when a library is loaded: names, offsets and kinds of fields, and numbers."""
    assert native.difference(native._library()) is None


@needs_library
def test_other_layout(monkeypatch):
    """Two fields of equal size that are exchanged, one that is of another kind, and one too many."""
    fields = native.OvoBatch._fields_
    exchanged = (*fields[:4], fields[5], fields[4], *fields[6:])
    of_other_kind = (*fields[:4], ("products", ctypes.c_double), *fields[5:])
    for changed, reason in (
        (exchanged, "field 4 of its OvoBatch is b'products' at 32, not 'shift' at 32"),
        (of_other_kind, "field 4 of its OvoBatch is b'products' at 32, not 'products'"),
        ((*fields, ("more", ctypes.c_int64)), "its OvoBatch has 168 bytes, not 176"),
    ):
        monkeypatch.setattr(native, "OvoBatch", type("OvoBatch", (ctypes.Structure,), {"_fields_": changed}))
        assert native.difference(native._library()).startswith(reason)


@needs_library
def test_other_layout_of_another_batch(monkeypatch):
    """The same of the arguments of `binary_solve`."""
    changed = {"_fields_": native.BinaryBatch._fields_[1:]}
    monkeypatch.setattr(native, "BinaryBatch", type("BinaryBatch", (ctypes.Structure,), changed))
    assert native.difference(native._library()).startswith("its BinaryBatch has ")


@needs_library
def test_description_of_rows(version):
    """As in NumPy, in dimensions that do and do not fill vectors, with a group without rows."""
    for dims in (1, 8, 37):
        values = np.random.default_rng(dims).normal(size=(50, dims)) + 3
        groups = (np.arange(50) % 3).astype(np.int32)
        means = np.stack([values[groups == number].mean(axis=0) for number in range(3)] + [np.zeros(dims)])
        along, distance = values @ values.mean(axis=0), np.linalg.norm(values - means[groups], axis=1)
        expected = np.square(values).sum(axis=1), values.mean(axis=0), means, along, distance
        for found, wanted in zip(native.describe_rows(values, groups, 4), expected, strict=True):
            assert found == pytest.approx(wanted, rel=1e-12)


@needs_library
def test_other_scales(monkeypatch):
    """The factors of w are the same in C and Python."""
    for scales in (native.PRIMAL_SCALES[:-1], (*native.PRIMAL_SCALES[:-1], 1.5), (*native.PRIMAL_SCALES, 1.5)):
        monkeypatch.setattr(native, "PRIMAL_SCALES", scales)
        assert native.difference(native._library()).startswith("its PRIMAL_SCALES differ")


@pytest.mark.parametrize("damage", ["other", "old"])
def test_unusable_library(damage, tmp_path, monkeypatch):
    """One that cannot be loaded, or lacks a function, is not used, and the reason is given."""
    path = tmp_path / "library.so"
    path.write_bytes(b"no library")
    if damage == "old":
        monkeypatch.setattr(native, "_library", lambda: native.declared(ctypes.CDLL(None)))
    else:
        monkeypatch.setattr(native, "_path", lambda version: path)
        monkeypatch.setattr(native, "_library", native._library.__wrapped__)
    assert native.why_unavailable.__wrapped__().startswith("it cannot be loaded (")


def test_versions_of_the_build(monkeypatch):
    """`setup.py` builds a library for each version, on x86-64; on other processors for any."""
    setup = Path(__file__).parents[3] / "setup.py"
    for machine, names in (("x86_64", native.VERSIONS), ("aarch64", native.VERSIONS[:1])):
        monkeypatch.setattr(platform, "machine", lambda machine=machine: machine)
        assert tuple(runpy.run_path(str(setup), run_name="setup")["VERSIONS"]) == names
