"""A sweep on a cluster that Ray's autoscaler grows and shrinks."""

import json
import subprocess
import sys
from pathlib import Path

import namespaces
import pytest

PROGRAM = Path(__file__).with_name("autoscaled.py")


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_nodes_come_for_a_sweep_and_go_when_it_has_ended():
    """Three beside the head, from none; and again."""
    if not namespaces.are_permitted():
        pytest.skip("only the superuser of a Linux machine may make namespaces")
    done = subprocess.run([sys.executable, PROGRAM], capture_output=True, text=True, timeout=1700, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == [{"nodes": [1, 4, 1], "code": 0, "done": 6}] * 2
