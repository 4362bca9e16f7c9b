"""What a warm `offshelf classify` takes: this checkout against an earlier one, run in turn.

    python benchmark/everyday.py REFERENCE [--rounds 7] [--store FOLDER]

REFERENCE is another checkout, whose C code is compiled. Both classify the digits with the features of a store that is
filled before, or copied from --store, and record the run in MLflow's SQLite file of a home of their own. Measured from
the start of the process: when the last line of the table is on the terminal, when the process ends, and the CPU time of
all its processes.
"""

import argparse
import os
import pty
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from machine import machine, table

HERE = Path(__file__).parent.parent

TABLE_ENDS = b"test \xc2\xb1:"
"""What the line below the table begins with."""


@dataclass(frozen=True)
class Build:
    """A checkout, with a home and a working directory of its own."""

    checkout: Path
    folder: Path

    @property
    def home(self) -> Path:
        """Home with store and MLflow's file."""
        return self.folder / "home"

    def run(self) -> tuple[float, float, float]:
        """Run once on a terminal. Returns seconds until the table, until the end, and of CPU."""
        own, terminal = pty.openpty()
        environment = {**os.environ, "PYTHONPATH": str(self.checkout / "src"), "OFFSHELF_HOME": str(self.home)}
        begin, seen, shown = time.perf_counter(), b"", 0.0
        command = [sys.executable, "-m", "offshelf", "classify"]
        process = subprocess.Popen(command, cwd=self.folder, env=environment, stdout=terminal, stderr=terminal)
        os.close(terminal)
        while text := _read(own):
            seen += text
            if not shown and TABLE_ENDS in seen:
                shown = time.perf_counter() - begin
        _, status, used = os.wait4(process.pid, 0)
        end = time.perf_counter() - begin
        os.close(own)
        if status or not shown:
            sys.exit(f"{self.checkout} failed:\n{seen.decode()}")
        return shown, end, used.ru_utime + used.ru_stime


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux's end of a terminal
        return b""


def main() -> None:
    """Print a row per build, and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reference", type=Path)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--store", type=Path, help="folder `store` of a home with the features of the digits")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        builds = {
            "reference": Build(given.reference.resolve(), Path(folder) / "reference"),
            "this": Build(HERE, Path(folder) / "this"),
        }
        prepare(builds["this"], builds["reference"], given.store)
        measured: dict[str, list[tuple[float, float, float]]] = {name: [] for name in builds}
        for _ in range(given.rounds):
            for name, build in builds.items():
                measured[name].append(build.run())
    report(measured)


def prepare(one: Build, other: Build, store: Path | None) -> None:
    """Give two builds the same features, and MLflow's tables, which the first run of each makes."""
    for build in (one, other):
        build.home.mkdir(parents=True)
    if store:
        shutil.copytree(store, one.home / "store")
    one.run()
    shutil.copytree(one.home / "store", other.home / "store")
    other.run()


def report(measured: dict[str, list[tuple[float, float, float]]]) -> None:
    """Print medians and minima of the seconds, and of the ratios of runs that followed each other."""
    print(f"{machine()}\n")
    rows = []
    for name, runs in measured.items():
        rows.append([name, *(_summary(list(column), "s") for column in zip(*runs, strict=True))])
    pairs = list(zip(*measured.values(), strict=True))
    ratios = [[this / reference for reference, this in zip(*pair, strict=True)] for pair in pairs]
    rows.append(["this / reference", *(_summary(list(column), "") for column in zip(*ratios, strict=True))])
    table(["build", "table on screen", "end", "CPU"], rows)
    print(f"Median (minimum) of {len(pairs)} runs each, in turn.")


def _summary(values: list[float], unit: str) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f}){f' {unit}' if unit else ''}"


if __name__ == "__main__":
    main()
