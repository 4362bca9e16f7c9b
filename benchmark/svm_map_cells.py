"""The cells of the map of `svm_map.py`: shapes, settings, and the data of each, made from a seed."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

SHAPES = [
    (2_000, 32, 14), (10_000, 32, 14), (21_000, 32, 14), (60_000, 32, 10), (200_000, 64, 2),
    (5_000, 512, 20), (21_000, 512, 20), (60_000, 512, 10), (10_000, 2_048, 100), (40_000, 1_280, 50),
]  # fmt: skip
"""Rows, dimensions and classes of the fixed cells."""
SHAPE_CS = (2.0, 200.0)
SETTINGS = [
    ("ovr", "hinge", "penalised"), ("ovr", "squared_hinge", "penalised"),
    ("ovo", "hinge", "free"), ("ovo", "hinge", "penalised"),
]  # fmt: skip
"""Reduction to binary problems, loss and bias of the fixed cells."""
DRAWN, SEED = 100, 0
ROWS, DIMS, VALUES, CLASSES, PAIRED_CLASSES, CS = (500, 200_000), (16, 4_096), 2e8, (2, 1_000), 100, (0.2, 20_000.0)
"""Limits of the drawn cells, all drawn uniformly in the logarithm; VALUES is the largest rows x dimensions."""
GRID_CS, FOLDS = (0.2, 2.0, 20.0, 200.0, 2_000.0), 5
TEST_ROWS = 2_000


@dataclass(frozen=True)
class Cell:
    """A multiclass problem."""

    rows: int
    dims: int
    classes: int
    C: float
    multiclass: str
    loss: str
    bias: str
    is_separable: bool = False
    seed: int = 0
    fold: int = -1
    """The training rows of one fold only; -1: all rows."""

    @property
    def name(self) -> str:
        """Shape, C and settings in a few words, different for each cell."""
        shape = f"{self.rows}x{self.dims}x{self.classes}"
        kind = "separable" if self.is_separable else "overlapping"
        fold = f" fold {self.fold}" if self.fold >= 0 else ""
        return f"{shape} C={self.C:g} {self.multiclass} {self.loss} {self.bias} {kind} {self.seed}{fold}"

    @property
    def cost(self) -> float:
        """What a fit may take, roughly: passes over the rows of all binary problems."""
        problems = self.classes - 1 if self.multiclass == "ovo" else self.classes if self.classes > 2 else 1
        return self.rows * self.dims * problems * self.C**0.25

    def to_dict(self) -> dict[str, Any]:
        """Return the fields."""
        return asdict(self)


def fixed_cells() -> list[Cell]:
    """Return the cells of SHAPES, each once: two classes have one pair, which is one class against the rest."""
    cells = [
        Cell(*shape, C, multiclass if shape[2] > 2 else "ovr", loss, bias)
        for shape in SHAPES
        for C in SHAPE_CS
        for multiclass, loss, bias in SETTINGS
    ]
    return list(dict.fromkeys(cells))


def drawn_cells() -> list[Cell]:
    """Return DRAWN random cells, the same ones each time."""
    random = np.random.default_rng(SEED)
    return [_drawn(random, number) for number in range(DRAWN)]


def _drawn(random: np.random.Generator, number: int) -> Cell:
    while True:
        rows, dims, classes = (round(_log_uniform(random, *limits)) for limits in (ROWS, DIMS, CLASSES))
        multiclass = str(random.choice(["ovr", "ovo"]))
        if rows * dims <= VALUES and classes <= rows / 5 and (multiclass == "ovr" or classes <= PAIRED_CLASSES):
            break
    C, loss = float(f"{_log_uniform(random, *CS):.2g}"), str(random.choice(["hinge", "squared_hinge"]))
    bias, is_separable = str(random.choice(["penalised", "free", "none"])), bool(random.random() < 0.5)
    return Cell(rows, dims, classes, C, multiclass, loss, bias, is_separable, number + 1)


def _log_uniform(random: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(random.uniform(np.log(low), np.log(high))))


def subset(cells: list[Cell], count: int | None) -> list[Cell]:
    """Return a random part of the cells, cheap ones first; a smaller part is within a larger one."""
    order = np.random.default_rng(SEED).permutation(len(cells))
    return sorted((cells[at] for at in order[:count]), key=lambda cell: cell.cost)


def grid_fits(cell: Cell) -> Iterator[tuple[Cell, int]]:
    """Yield a sample of the fits of a grid search, and how many each stands for: one fold for each C, and the whole.

    A grid search fits each fold at each C, and all rows at the best C, taken to be the one in the middle.
    """
    for number, C in enumerate(GRID_CS):
        yield replace(cell, C=C, fold=number % FOLDS), FOLDS
    yield replace(cell, C=GRID_CS[len(GRID_CS) // 2]), 1


def data(cell: Cell) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return training rows float32 and classes, and test rows and classes, made like deep features.

    Normal noise around class means with a power-law spectrum, rectified, at length 1. All classes are present.
    """
    random = np.random.default_rng(cell.seed)
    count = cell.rows + TEST_ROWS
    targets = np.concatenate([random.permutation(np.arange(part) % cell.classes) for part in (cell.rows, TEST_ROWS)])
    spectrum = np.arange(1, cell.dims + 1) ** -0.5
    means = random.normal(size=(cell.classes, cell.dims)) * spectrum
    spread, distance = (0.15, 2.0) if cell.is_separable else (1.0, 0.9)
    values = np.empty((count, cell.dims), np.float32)
    for start in range(0, count, 4_096):
        part = targets[start : start + 4_096]
        noise = random.normal(size=(len(part), cell.dims)) * (spread * spectrum)
        values[start : start + len(part)] = np.maximum(distance * means[part] + noise + 0.3 * spectrum, 0)
    values /= np.linalg.norm(values, axis=1, keepdims=True) + 1e-9
    rows, classes = values[: cell.rows], targets[: cell.rows]
    if cell.fold >= 0:
        kept = np.random.default_rng(SEED).permutation(cell.rows) % FOLDS != cell.fold
        rows, classes = rows[kept], classes[kept]
    return rows, classes, values[cell.rows :], targets[cell.rows :]
