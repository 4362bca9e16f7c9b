"""Rules for all tests, as a plugin: what a test may cost, and what CI does not let be skipped."""

import os
import re
import resource

import pytest
import warm

EXCUSED = [
    "needs a CUDA device",
    "no library for .* processors here",
    "only the superuser may mount a small file system",
    "only the superuser can act as several users",
    "the superuser may not give up rights here",
    "the superuser may write anywhere",
]
"""Reasons to skip that are no want of a package, as regular expressions."""

PACKAGES = {
    "chromium": "needs chromium",
    "chromium-driver": "needs chromium",
    "g++": "C(\\+\\+)? compiler",
    "openssl": "openssl is not installed",
    "postgresql": "PostgreSQL is not installed",
}
"""Packages of `.ci/packages.txt`, and the reason to skip where one is missing."""


def pytest_addoption(parser):
    """`--cpu-limit`, which `make quick` sets."""
    parser.addoption(
        "--cpu-limit", type=float, metavar="SECONDS", help="fail a test that uses more CPU time, with its processes"
    )


def used():
    """CPU seconds of this process, of its children that have ended and of commands forked by `warm`."""
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in spent) + warm.spent()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """Fail a test over the limit. CPU time does not grow, as wall time does, because others use the machine."""
    limit, before = item.config.getoption("cpu_limit"), used()
    result = yield
    if limit is not None and (seconds := used() - before) > limit:
        pytest.fail(
            f"{seconds:.1f} s of CPU, where {limit:g} are allowed: make it faster or mark it slow", pytrace=False
        )
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    """Turn a test skipped for want of something that CI installs into a failure."""
    return require((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report():
    """Do the same for a file that is skipped whole."""
    return require((yield))


def require(report):
    """A report; in CI a failure in place of a skip without excuse."""
    if "OFFSHELF_CI" in os.environ and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2]
        if not is_excused(reason, os.environ.get("OFFSHELF_CI_MISSING", "").split()):
            report.outcome, report.longrepr = "failed", f"CI has what this needs, or should have: {reason}"
    return report


def is_excused(reason, missing):
    """Whether a test may be skipped in CI where some packages could not be installed."""
    excuses = [*EXCUSED, *(text for package, text in PACKAGES.items() if package in missing)]
    return any(re.search(excuse, reason) for excuse in excuses)
