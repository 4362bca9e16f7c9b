"""The notebook of the guide, and the reference beside it."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import offshelf

DOCS = Path(__file__).parents[2] / "docs"
NOTEBOOK = json.loads((DOCS / "python.ipynb").read_text(encoding="utf-8"))


@pytest.mark.slow
def test_notebook_runs(tmp_path):
    """Its code, cell by cell, in a fresh interpreter without a display; the last cell shows a sentence."""
    cells = ["".join(cell["source"]) for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]
    program = "\n".join(["import matplotlib", 'matplotlib.use("Agg")', *cells])
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=tmp_path,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout == (
        "tiny has no layer 'blok3'; did you mean 'block3'? Its layers: block1, block2, block3. "
        "List every module with `offshelf layers` and the same backbone.\n"
    )
    assert {path.name for path in tmp_path.iterdir()} <= {"home"}  # where its features are


def test_notebook_is_clean():
    """No outputs are committed: they would be out of date."""
    for cell in NOTEBOOK["cells"]:
        if cell["cell_type"] == "code":
            assert (cell["outputs"], cell["execution_count"]) == ([], None)


@pytest.mark.parametrize("name", offshelf.__all__)
def test_each_name_is_in_the_reference(name):
    """With a docstring that says what it is."""
    page = (DOCS / "python.md").read_text(encoding="utf-8")

    assert re.search(rf"^::: offshelf\.{name}$", page, re.M)
