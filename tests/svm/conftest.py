"""Tests of estimators run twice: as installed with a C compiler, and without."""

import pytest

from offshelf.svm import native


@pytest.fixture(scope="module", params=["compiled", "in_pytorch"])
def either_solver(request):
    """With the compiled parts of the solver, or as if they were missing."""
    if request.param == "compiled" and not native.is_available():
        pytest.skip("offshelf was installed without a C compiler")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("offshelf.svm.solver.is_compiled", lambda: request.param == "compiled")
        yield
