"""CPU time of one more job in a sweep whose features are in the store: this checkout and another one, in turn.

python benchmark/sweep.py OTHER_CHECKOUT
"""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

from builds import Build
from machine import machine, table

HERE = Path(__file__).parents[1]


def sweep(build: Build, folder: Path, jobs: int, round_: int) -> float:
    """CPU seconds of a sweep over values of C that no sweep before had."""
    values = ",".join(f"{10 ** (-3 + 4 * number / jobs) + round_ * 1e-7:.9g}" for number in range(jobs))
    return build.run(folder, "classify", "-m", "backbone=pixels", f"classifier.C={values}", threads="1")[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("other", type=Path, help="checkout of the build to compare with, its C code built in place")
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--few", type=int, default=10, help="jobs of the sweep that is subtracted")
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    builds = [Build("this checkout", HERE), Build("other", options.other.resolve())]
    best = {build.name: dict.fromkeys((options.few, options.jobs), float("inf")) for build in builds}
    with TemporaryDirectory() as folder:
        for build in builds:
            build.run(Path(folder) / build.name, "classify", "backbone=pixels", threads="1")
        for round_ in range(options.rounds):
            for jobs in (options.few, options.jobs):
                for build in builds:
                    spent = sweep(build, Path(folder) / build.name, jobs, round_)
                    best[build.name][jobs] = min(best[build.name][jobs], spent)
    each = {
        name: (times[options.jobs] - times[options.few]) / (options.jobs - options.few) for name, times in best.items()
    }
    print(f"{machine()}; one thread; CPU seconds, the least of {options.rounds}\n")
    heads = ("build", f"sweep of {options.few}", f"sweep of {options.jobs}", "one more job", "ratio")
    table(
        heads,
        [
            (name, *(f"{one:.1f}" for one in times.values()), f"{each[name]:.3f}", f"{each[name] / each['other']:.2f}")
            for name, times in best.items()
        ],
    )


if __name__ == "__main__":
    main()
