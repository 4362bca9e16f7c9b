"""Jobs that differ in C alone are one piece of work."""

from collections.abc import Sequence

from offshelf.config.job import Job
from offshelf.identity import digest
from offshelf.launcher import Basic, Launcher

OWN_ESTIMATORS = ("offshelf.svm.LinearSVM", "offshelf.svm.LinearSVMCV")
"""Estimators whose fits share more than the features."""


def pieces(jobs: Sequence[Job], launcher: Launcher) -> list[list[Job]]:
    """Group jobs that are equal except for the one C that is given to each, in their order.

    With other estimators than ours jobs have no more in common than the features, which is less than what they gain by
    running at once, where the launcher can do that: there they stay apart.
    """
    found: dict[str, list[Job]] = {}
    for job in jobs:
        found.setdefault(_beside_c(job, isinstance(launcher, Basic)) or str(job.number), []).append(job)
    return list(found.values())


def _beside_c(job: Job, of_any: bool) -> str:
    """Return the identity of a job without its C; empty if it has nothing in common with others."""
    try:
        values = job.values
        classifier = values["classifier"]
        is_ours = classifier["estimator"]["_target_"] in OWN_ESTIMATORS
        if isinstance(classifier["C"], int | float) and (is_ours or of_any):
            return digest({**values, "classifier": {**classifier, "C": None}})
    except Exception:  # it has no such classifier, or its own run will say what is wrong
        return ""
    return ""
