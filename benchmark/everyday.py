"""What a warm `offshelf classify` takes: this checkout against an earlier one, run in turn.

    python benchmark/everyday.py REFERENCE [--rounds 7] [--store FOLDER]

REFERENCE is another checkout, whose C code is compiled. Both classify the digits with the features of a store that is
filled before, or copied from --store, and record the run in MLflow's SQLite file of a home of their own. Measured from
the start of the process: when the last line of the table is on the terminal, and when the process ends. Also CPU time:
of the process until the table, of the process until its last line, and of all processes. On busy cores only CPU times
mean something; those of the process are then the best estimate of wall time on idle cores.
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

    def run(self) -> tuple[float, ...]:
        """Run once on a terminal. Returns a value per column of `COLUMNS`."""
        own, terminal = pty.openpty()
        environment = {**os.environ, "PYTHONPATH": str(self.checkout / "src"), "OFFSHELF_HOME": str(self.home)}
        begin, seen, shown, used = time.perf_counter(), b"", 0.0, 0.0
        command = [sys.executable, "-m", "offshelf", "classify"]
        process = subprocess.Popen(command, cwd=self.folder, env=environment, stdout=terminal, stderr=terminal)
        os.close(terminal)
        while text := _read(own):
            seen += text
            used = cpu_seconds(process.pid)
            if not shown and TABLE_ENDS in seen:
                shown, used_then = time.perf_counter() - begin, used
        _, status, total = os.wait4(process.pid, 0)
        end = time.perf_counter() - begin
        os.close(own)
        if status or not shown:
            sys.exit(f"{self.checkout} failed:\n{seen.decode()}")
        return shown, end, used_then, used, total.ru_utime + total.ru_stime


COLUMNS = ["table on screen", "end", "CPU until the table", "CPU of the process", "CPU of all processes"]


def cpu_seconds(process: int) -> float:
    """Return the CPU time of a process, without its children: fields 14 and 15 of /proc/PID/stat, see proc(5)."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


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
        measured: dict[str, list[tuple[float, ...]]] = {name: [] for name in builds}
        for _ in range(given.rounds):
            for name, build in builds.items():
                measured[name].append(build.run())
                print(name, *(f"{value:.2f}" for value in measured[name][-1]), file=sys.stderr)
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


def report(measured: dict[str, list[tuple[float, ...]]]) -> None:
    """Print medians and minima of the seconds, and of the ratios of runs that followed each other."""
    print(f"{machine()}\n")
    rows = []
    for name, runs in measured.items():
        rows.append([name, *(_summary(list(column), "s") for column in zip(*runs, strict=True))])
    pairs = list(zip(*measured.values(), strict=True))
    ratios = [[this / reference for reference, this in zip(*pair, strict=True)] for pair in pairs]
    rows.append(["this / reference", *(_summary(list(column), "") for column in zip(*ratios, strict=True))])
    table(["build", *COLUMNS], rows)
    print(f"Median (minimum) of {len(pairs)} runs each, in turn.")


def _summary(values: list[float], unit: str) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f}){f' {unit}' if unit else ''}"


if __name__ == "__main__":
    main()
