"""The table of docs/svm.md is what the solver does."""

import runpy
from pathlib import Path
from typing import get_args

import pytest

from offshelf.svm import native
from offshelf.svm.solver.dispatch import Method

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.skipif(not native.is_available(), reason="offshelf was installed without a C compiler")
def test_table():
    """To write it anew: python docs/svm_methods.py --write."""
    script = runpy.run_path(str(DOCS / "svm_methods.py"))
    assert script["table"]() in script["PAGE"].read_text(encoding="utf-8")
    assert tuple(script["WHY"]) == get_args(Method)
