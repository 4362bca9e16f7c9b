"""Jobs that differ in C alone: which they are, and that a sweep of them gives the numbers of each alone."""

import json
from contextlib import closing
from functools import partial
from itertools import product

import numpy as np
import pytest
from PIL import Image

from offshelf.config import load
from offshelf.launcher import Basic, Job, Joblib, Slurm, perform_job, perform_jobs
from offshelf.store import DiskStore
from offshelf.svm.solver import gram
from offshelf.sweep import Jobs, pieces
from offshelf.tracking import NoTracking

pytestmark = pytest.mark.filterwarnings("ignore")  # of what C is too small for
FAST = ["backbone=tiny", "tracking=none", "keep_model_mb=0", "bootstrap.replicates=0", "report=null"]
REST = "classifier=linear_svm_ovr"  # of so few rows a Gram matrix is made
LAYERS, VIEWS, CS = ("block2", "block3"), ("center", "mirror"), (0.01, 0.1, 1, 10)
GRID = [(f"layer={layer}", f"augmentation={views}") for layer in LAYERS for views in VIEWS]
C_FIRST = [(*one, f"classifier.C={C}") for C in CS for one in GRID]
C_LAST = [(*one, f"classifier.C={C}") for one in GRID for C in CS]


@pytest.fixture
def pictures(tmp_path):
    """An override: a data set of three classes."""
    random = np.random.default_rng(0)
    for label, number in product(range(3), range(7)):
        file = tmp_path / "images" / str(label) / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 150 + 50 * label, (16, 16), dtype=np.uint8)).save(file)
    return ["dataset=folder", f"dataset.root={tmp_path / 'images'}"]


by_itself = partial(perform_job, parent="")


def jobs(lines, folder, *common):
    """A job for each sequence of overrides."""
    return [
        Job(number, line, load("classify", [*FAST, *common, *line]), folder / "_".join(line))
        for number, line in enumerate(lines)
    ]


def numbers(folder):
    """Metrics of each job, save what they cost."""
    found = {file.parent.name: json.loads(file.read_text()) for file in folder.glob("*/metrics.json")}
    return {
        job: {name: value for name, value in metrics.items() if not name.startswith("cost/")}
        for job, metrics in found.items()
    }


@pytest.fixture
def made(monkeypatch):
    """What was made of which there is to be one a layer and list of views, and how often."""
    counts = {"gram": 0, "read": 0}

    def count(kind, owner, name):
        original = getattr(owner, name)

        def counted(*arguments, **settings):
            counts[kind] += 1
            return original(*arguments, **settings)

        monkeypatch.setattr(owner, name, counted)

    count("gram", gram.Gram, "__init__")
    count("read", DiskStore, "read")
    return counts


@pytest.mark.soak
@pytest.mark.slow
def test_one_gram_matrix_for_all_values(made, pictures, tmp_path):
    """A layer and list of views, wherever C stands in the command; each job has the numbers it has alone."""
    for name, lines in (("first", C_FIRST), ("last", C_LAST)):
        made |= {"gram": 0, "read": 0}
        with NoTracking().sweep(name) as parent:
            sweep = Jobs(parent, {})
            sweep.run(jobs(lines, tmp_path / name, REST, *pictures))
        assert [outcome.status for outcome in sweep.outcomes] == ["done"] * 16
        assert made == {"gram": 4, "read": 4}
    alone = [line for line in C_LAST if line[2] == "classifier.C=10"]
    for job in jobs(alone, tmp_path / "alone", REST, *pictures):
        assert not by_itself(job).error
    assert made == {"gram": 4 + 4, "read": 4 + 4}

    assert len(numbers(tmp_path / "first")) == 16
    assert numbers(tmp_path / "first") == numbers(tmp_path / "last")
    assert numbers(tmp_path / "alone").items() <= numbers(tmp_path / "last").items()


def test_failure_is_one_job(pictures, tmp_path):
    """In the middle of a piece; also one that no other would have."""
    lines = [("classifier.C=0.1",), ("classifier.C=-1",), ("classifier.C=1",)]
    piece = jobs(lines, tmp_path, "layer=block1", *pictures)
    with closing(perform_jobs(piece, by_itself)) as endings:
        errors = [ending.error for ending in endings]

    assert [bool(error) for error in errors] == [False, True, False]
    assert "classifier.C must be a positive number" in errors[1]
    assert len(numbers(tmp_path)) == 2


@pytest.mark.slow
@pytest.mark.parametrize("launcher", [Basic(), Joblib(2), Slurm("local")])
@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["layer=block1 classifier.C=1", "layer=block2 classifier.C=1", "layer=block1 classifier.C=2"], [[0, 2], [1]]),
        (["classifier=linear_svm classifier.C=1", "classifier=linear_svm_ovr classifier.C=2"], [[0], [1]]),
        (["seed=1 classifier.C=1", "classifier.C=2", "seed=1 classifier.C=3"], [[0, 2], [1]]),
        (["classifier.C=[1,2]", "classifier.C=2", "classifier.C=[3,4]"], [[0], [1], [2]]),
        (["classifier=knn", "classifier=knn classifier.n_neighbors=3"], [[0], [1]]),
    ],
)
def test_equal_in_all_but_one_c(lines, expected, launcher, tmp_path):
    found = pieces(jobs([line.split() for line in lines], tmp_path), launcher)
    assert [[job.number for job in piece] for piece in found] == expected


@pytest.mark.parametrize(("launcher", "together"), [(Basic(), True), (Joblib(2), False), (Slurm("local"), False)])
def test_other_estimators_gain_more_by_running_at_once(launcher, together, tmp_path):
    """Where they can."""
    found = jobs([("classifier.C=1",), ("classifier.C=2",)], tmp_path, "classifier=sklearn_logistic")
    assert len(pieces(found, launcher)) == (1 if together else 2)
