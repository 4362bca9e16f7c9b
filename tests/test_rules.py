"""The rules of tests/support/rules.py, on small files of tests run by a pytest of their own."""

from pathlib import Path

import pytest
import rules

pytest_plugins = ["pytester"]
ROOT = Path(__file__).parents[1]


@pytest.fixture
def outcomes(pytester, monkeypatch):
    """Run the tests of a file; returns how many passed, were skipped and failed, and what was said."""
    monkeypatch.delenv("OFFSHELF_CI", raising=False)
    monkeypatch.delenv("OFFSHELF_CI_MISSING", raising=False)

    def run(text, *arguments):
        pytester.makepyfile(text)
        done = pytester.runpytest_inprocess("-p", "rules", "-p", "no:xdist", "-p", "no:cacheprovider", *arguments)
        found = done.parseoutcomes()
        return [found.get(name, 0) for name in ("passed", "skipped", "failed", "errors")], done.stdout.str()

    return run


BUSY = """
import subprocess, sys, time

def test_busy():
    while time.process_time() < test_busy.end:
        pass

test_busy.end = time.process_time() + 0.3

def test_child():
    subprocess.run([sys.executable, "-c", "import time\\nwhile time.process_time() < 0.3: pass"])

def test_idle():
    time.sleep(0.3)
"""


@pytest.mark.slow
def test_cpu_limit(outcomes):
    """A test over the limit fails, by its own work or by a process; one that waits does not, nor any without one."""
    found, said = outcomes(BUSY, "--cpu-limit=0.2")

    assert found == [1, 0, 2, 0]
    assert said.count("s of CPU, where 0.2 are allowed") >= 2
    assert outcomes(BUSY)[0] == [3, 0, 0, 0]


SKIPS = """
import pytest

def test_gpu():
    pytest.skip("needs a CUDA device")

def test_database():
    pytest.skip("PostgreSQL is not installed: no initdb")

@pytest.mark.xfail(strict=True)
def test_known():
    assert False
"""


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, [0, 2, 0, 0]),
        ({"OFFSHELF_CI": "1"}, [0, 1, 1, 0]),
        ({"OFFSHELF_CI": "1", "OFFSHELF_CI_MISSING": "postgresql"}, [0, 2, 0, 0]),
    ],
)
def test_skips_in_ci(variables, expected, outcomes, monkeypatch):
    """A skip for want of a package that CI installs fails there, unless the package could not be installed."""
    run = outcomes
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert run(SKIPS)[0] == expected


def test_a_file_that_is_skipped_in_ci(outcomes, monkeypatch):
    """The same where a module that should be installed is missing."""
    text = "import pytest\npytest.importorskip('no_such_module')\ndef test_it(): pass"
    assert outcomes(text)[0] == [0, 1, 0, 0]
    monkeypatch.setenv("OFFSHELF_CI", "1")
    assert outcomes(text)[0] == [0, 0, 0, 1]


def test_packages_are_those_of_the_list():
    """Each package that CI installs has the reason for which tests are skipped without it."""
    lines = (ROOT / ".ci/packages.txt").read_text(encoding="utf-8").splitlines()
    assert sorted(rules.PACKAGES) == sorted(filter(None, (line.partition("#")[0].strip() for line in lines)))
