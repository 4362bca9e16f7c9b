"""The compiled solver under sanitizers."""

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("sanitize.py")


@pytest.mark.slow
@pytest.mark.parametrize("which", ["best", pytest.param("others", marks=pytest.mark.soak)])
def test_no_errors(which):
    """No access beyond an array, and no undefined behaviour: the version with the longest vectors, then the others."""
    script = runpy.run_path(str(SCRIPT))
    cc = script["compiler"]()
    if not cc or not script["runtime"](cc):
        pytest.skip("no C compiler with the runtime of the address sanitizer (libasan)")
    *others, best = script["versions"]()
    chosen = [best] if which == "best" else others
    if not chosen:
        pytest.skip("no library for other processors here")
    done = subprocess.run([sys.executable, SCRIPT, *chosen], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    assert done.stdout.splitlines() == [f"{version}: no errors" for version in chosen]
