"""The map of the SVM solver: shapes, settings and values of C, each against the fastest of scikit-learn's solvers.

The contestants are LinearSVC (both of its algorithms for the squared hinge), OneVsOneClassifier(LinearSVC) and SVC with
a linear kernel. One counts for a cell if it solves the same problem, or is as accurate on test rows to within 0.2
points. It runs at the largest of four tolerances whose relative duality gap is at most 1e-3, computed here in float64
for the problem that it solves; at its default if there is none. Each fit has a process of its own, forked from one
that has imported all contestants, and they take turns.

Results are appended to a TSV file; the same command goes on where it was stopped. --label before --path SRC times
another build of offshelf against the same fits of scikit-learn. --table prints what is in the file.
"""

import argparse
import csv
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from svm_map_cells import Cell, drawn_cells, fixed_cells, grid_fits, subset
from svm_map_fit import PEERS, is_same, measure, prepare, problem_of
from svm_map_table import table

FIELDS = (
    *("cell", "side", "tol", "round", "status", "threads", "wall", "cpu", "memory_mb", "gap", "accuracy", "method"),
    *("is_same", "weight"),
)
TOLERANCES = (1e-1, 1e-2, 1e-3, 1e-4)
LARGEST_GAP = 1e-3
"""Largest relative duality gap at which a peer's tolerance is small enough."""
REPEATED_SECONDS = 10
"""Fits that take longer are timed once."""


@dataclass(eq=False)
class Records:
    """The file of results: a fit that it has is not repeated."""

    path: Path
    rows: list[dict[str, str]] = field(default_factory=list)

    def read(self) -> "Records":
        """Read what is there."""
        if self.path.exists():
            with self.path.open(newline="") as file:
                self.rows = list(csv.DictReader(file, delimiter="\t"))
        return self

    def once(self, key: dict[str, Any], make: Callable[[], dict[str, Any]]) -> dict[str, str]:
        """Return the row of a fit, and make and append it if it is missing."""
        wanted = {name: str(value) for name, value in key.items()}
        for row in self.rows:
            if all(row[name] == value for name, value in wanted.items()):
                return row
        row = {name: "" for name in FIELDS} | wanted | {name: _text(value) for name, value in make().items()}
        is_new = not self.path.exists()
        with self.path.open("a", newline="") as file:
            writer = csv.DictWriter(file, FIELDS, delimiter="\t", lineterminator="\n")
            if is_new:
                writer.writeheader()
            writer.writerow(row)
        self.rows.append(row)
        return row


@dataclass(frozen=True)
class Fit:
    """A fit to time."""

    cell: str
    """Name of the cell that it belongs to."""
    side: str
    problem: Cell
    tol: float | None = None
    """None: the default."""
    weight: int = 1
    """Number of fits that it stands for."""
    is_same: bool = True
    """Whether the problem is the cell's own."""
    is_grid: bool = False


@dataclass(frozen=True)
class Runner:
    """Starts fits, and keeps their results."""

    records: Records
    options: argparse.Namespace

    def cell(self, cell: Cell) -> None:
        """Time ours and all peers at their tolerances, then again in turn where fits are short."""
        self._in_turn([Fit(cell.name, self.options.label, cell)], cell, cell.name, 1)

    def grid(self, cell: Cell) -> None:
        """Time ours on a whole grid, and the peers on a sample of its fits."""
        name = f"grid {cell.name}"
        self.fit(Fit(name, self.options.label, cell, is_grid=True))
        for part, weight in grid_fits(cell):
            self._in_turn([], part, f"{name} | C={part.C:g} fold {part.fold}", weight)

    def fit(self, one: Fit, number: int = 1) -> dict[str, str]:
        """Return the row of a fit, for the n-th time."""
        tol = "default" if one.tol is None else f"{one.tol:g}"
        key = {"cell": one.cell, "side": one.side, "tol": tol, "round": number, "threads": self.options.threads}

        def make() -> dict[str, Any]:
            print(*key.values(), file=sys.stderr, flush=True)
            return {"weight": one.weight, "is_same": int(one.is_same), **self._run(one)}

        return self.records.once(key, make)

    def _in_turn(self, ours: list[Fit], cell: Cell, name: str, weight: int) -> None:
        fits = list(ours)
        for one in ours:
            self.fit(one)
        for peer in PEERS:
            problem = problem_of(peer, cell)
            if problem:
                self._bound(name, problem)
                fits.append(self._tolerance(Fit(name, peer, problem, None, weight, is_same(cell, problem))))
        for number in range(2, self.options.rounds + 1):
            for one in fits:
                first = self.fit(one)
                if first["status"] == "ok" and float(first["wall"]) < REPEATED_SECONDS:
                    self.fit(one, number)

    def _tolerance(self, peer: Fit) -> Fit:
        """Return a peer's fit at the largest tolerance that is small enough, or at its default."""
        for tol in TOLERANCES:
            tried = replace(peer, tol=tol)
            row = self.fit(tried)
            if row["status"] != "ok" or float(row["gap"]) <= LARGEST_GAP:
                return tried
        self.fit(peer)
        return peer

    def _bound(self, name: str, problem: Cell) -> None:
        """Have ours solve a peer's problem, where its objective has no bound yet; libsvm gives one itself."""
        is_libsvms = (problem.loss, problem.bias) == ("hinge", "free")
        if not is_libsvms and not self._bounds(problem).exists():
            self.fit(Fit(name, "bound", problem, weight=0))

    def _run(self, one: Fit) -> dict[str, Any]:
        asked = {"side": one.side if one.side in PEERS else "ours", "cell": one.problem.to_dict(), "tol": one.tol}
        asked |= {"grid": one.is_grid, "bounds": str(self._bounds(one.problem)), "limit": self.options.limit}
        is_another = one.side == self.options.label and (self.options.path or self.options.python != sys.executable)
        status, text = self._in_another(asked) if is_another else _forked(asked)
        if status == -signal.SIGALRM:
            return {"status": "limit", "wall": self.options.limit, "cpu": self.options.limit}
        if status:
            return {"status": f"error: {(text.strip().splitlines() or ['?'])[-1][:200]}"}
        return {"status": "ok", **json.loads(text.strip().splitlines()[-1])}

    def _in_another(self, asked: dict[str, Any]) -> tuple[int, str]:
        command = [self.options.python, str(Path(__file__).with_name("svm_map_fit.py")), json.dumps(asked)]
        path = {"PYTHONPATH": self.options.path} if self.options.path else {}
        done = subprocess.run(command, check=False, capture_output=True, text=True, env={**os.environ, **path})
        return done.returncode, done.stderr if done.returncode > 0 else done.stdout

    def _bounds(self, problem: Cell) -> Path:
        folder = self.records.path.with_suffix(".bounds")
        folder.mkdir(exist_ok=True)
        return folder / f"{problem.name.replace(' ', '_')}.npy"


def _forked(asked: dict[str, Any]) -> tuple[int, str]:
    """Fit in a copy of this process, which has imported everything. Returns its exit status and what it found."""
    prepare(Cell(**asked["cell"]))
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        status = 1
        try:
            os.close(reading)
            text = json.dumps(measure(asked))
            status = 0
        except BaseException as error:
            text = f"{type(error).__name__}: {error}"
        os.write(writing, text.encode())
        os._exit(status)
    os.close(writing)
    with os.fdopen(reading) as file:
        text = file.read()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), text


def _text(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def chosen_cells(options: argparse.Namespace) -> list[Cell]:
    """Return the cells that were asked for, cheap ones first."""
    cells = fixed_cells()
    if options.grid:
        cells = [cell for cell in cells if cell.C == cells[0].C and (cell.loss, cell.bias) != ("hinge", "penalised")]
    elif not options.shapes:
        cells += drawn_cells()
    return subset(cells, options.cells)


def _confine(threads: int) -> None:
    """Give all fits, which inherit it, so many threads and cores; threads by a new start of this program."""
    wanted = {f"{library}_NUM_THREADS": str(threads) for library in ("OMP", "OPENBLAS", "MKL")}
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-threads:])
    if wanted.items() - os.environ.items() or "OPENBLAS_CORETYPE" in os.environ:
        kept = {name: value for name, value in os.environ.items() if name != "OPENBLAS_CORETYPE"}
        os.execve(sys.executable, [sys.executable, *sys.argv], kept | wanted)


def main() -> None:
    """Run the cells, or print their table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="TSV file of results, which is continued")
    parser.add_argument("--cells", type=int, help="a random part of the cells; a smaller part is within a larger one")
    parser.add_argument("--shapes", action="store_true", help="the fixed shapes alone, without drawn cells")
    parser.add_argument("--grid", action="store_true", help="grids of 5 Cs x (5 folds + whole), at the fixed shapes")
    parser.add_argument("--limit", type=float, default=120, help="seconds after which a fit is stopped")
    parser.add_argument("--threads", type=int, default=1, help="of each contestant, and cores")
    parser.add_argument("--rounds", type=int, default=2, help="of fits under ten seconds, of which the fastest counts")
    parser.add_argument("--label", default="ours", help="name of the build of offshelf that is timed")
    parser.add_argument("--path", help="its PYTHONPATH; without, the offshelf of this Python")
    parser.add_argument("--python", default=sys.executable, help="its Python")
    parser.add_argument("--table", action="store_true", help="print the results in Markdown, and run nothing")
    parser.add_argument("--by", choices=("cpu", "wall"), default="cpu", help="the seconds that the table compares")
    options = parser.parse_args()
    if options.label in (*PEERS, "bound"):
        parser.error(f"--label {options.label} is the name of another contestant")
    records = Records(options.file).read()
    if options.table:
        print(table(records.rows, options.label, options.by))
        return
    _confine(options.threads)
    runner = Runner(records, options)
    for cell in chosen_cells(options):
        (runner.grid if options.grid else runner.cell)(cell)


if __name__ == "__main__":
    main()
