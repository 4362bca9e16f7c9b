"""Print the table of docs/svm.md: which method the SVM solver chooses for a shape, and why. `--write` puts it there."""

import sys
from pathlib import Path
from typing import Any

from offshelf.svm import LinearSVM, LinearSVMCV
from offshelf.svm.solver.dispatch import Method

PAGE = Path(__file__).with_name("svm.md")
BEGIN, END = "<!-- table of docs/svm_methods.py -->\n", "<!-- end of the table -->\n"
SHAPES = [
    (1_797, 192, 10),
    (1_797, 1_280, 10),
    (2_500, 40, 6),
    (5_000, 2_048, 2),
    (5_011, 4_096, 20),
    (9_000, 40, 6),
    (10_000, 2_048, 100),
    (21_000, 32, 14),
    (21_000, 512, 20),
    (60_000, 512, 10),
    (80_000, 4_096, 67),
    (200_000, 64, 2),
]
"""Rows, dimensions and classes."""
SETTINGS: dict[str, Any] = {
    "`classifier=linear_svm`": LinearSVMCV((0.2, 2, 20, 200, 2000), multiclass="ovo", bias="free"),
    "`linear_svm_ovr`": LinearSVMCV((0.2, 2, 20, 200, 2000), loss="squared_hinge"),
    "`LinearSVM()`, one fit": LinearSVM(),
}
WHY: dict[Method, str] = {
    "ovo": "few rows per pair of classes: thousands of small problems in one Gram matrix, in compiled code",
    "dual": "the Gram matrix of all rows fits into memory, and pays for itself over all classes, folds and values of C",
    "binary": "many rows, or a single fit: one problem after the other without a Gram matrix, in compiled code",
    "primal": "what is left: rows on disk of which a Gram matrix does not fit or pay, a GPU, or no compiled code",
}


def table() -> str:
    """Return the table in Markdown."""
    header = ["rows x dimensions x classes", *SETTINGS]
    rows = [
        [" x ".join(f"{size:,}" for size in shape), *(f"`{svm.expected_method(*shape)}`" for svm in SETTINGS.values())]
        for shape in SHAPES
    ]
    reasons = [[f"`{method}`", why] for method, why in WHY.items()]
    return "\n".join([*_lines(header, rows), "", *_lines(["method", "chosen for"], reasons)]) + "\n"


def _lines(header: list[str], rows: list[list[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (header, ["---"] * len(header), *rows)]


def main() -> None:
    """Print the table, or write it into the page."""
    if "--write" not in sys.argv:
        print(table(), end="")
        return
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    PAGE.write_text(before + BEGIN + table() + END + rest.partition(END)[2], encoding="utf-8")


if __name__ == "__main__":
    main()
