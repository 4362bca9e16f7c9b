"""The compiled solver under sanitizers."""

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("sanitize.py")


@pytest.mark.slow
def test_no_errors():
    """No access beyond an array, and no undefined behaviour, in any version that this processor runs."""
    script = runpy.run_path(str(SCRIPT))
    cc = script["compiler"]()
    if not cc or not script["runtime"](cc):
        pytest.skip("no C compiler with the runtime of the address sanitizer (libasan)")
    done = subprocess.run([sys.executable, SCRIPT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    assert "any: no errors" in done.stdout
