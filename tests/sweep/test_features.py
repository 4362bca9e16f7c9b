"""Features first: one pass for all layers of a network; what fails in it stays in the jobs that need it."""

import pytest
from processes import FAST, Record, finish, sixteen_images

from offshelf.config import load
from offshelf.launcher import Job
from offshelf.sweep import passes

pytestmark = pytest.mark.filterwarnings("ignore")  # of MLflow and SQLAlchemy


def jobs(tmp_path, *lines):
    """A job for each line of overrides."""
    common = ["backbone=tiny", "classifier=knn"]
    configs = [load("classify", [*common, *line.split()]) for line in lines]
    return [Job(number, [], config, tmp_path) for number, config in enumerate(configs)]


@pytest.mark.soak
@pytest.mark.slow
def test_one_pass_a_list_of_views(home, tmp_path):
    """3 layers x 2 augmentations x 2 parameters of the classifier: 12 jobs, two extractions."""
    command = [*FAST, "layer=block1,block2,block3", "augmentation=center,mirror", "classifier.n_neighbors=1,2"]
    command += [*sixteen_images(tmp_path), "bootstrap.replicates=0", "keep_model_mb=0"]
    code, output, errors = finish(*command, cwd=tmp_path)

    assert code == 0
    assert (output + errors).count("Extracting tiny") == 2
    assert errors.count("Features first: block1, block2, block3 of tiny") == 2
    found = Record(home)
    assert found.statuses(found.jobs) == ["FINISHED"] * 12
    assert {run.data.metrics["cost/images_extracted"] for run in found.jobs} == {0}


@pytest.mark.slow
def test_failure_stays_in_its_job(home, tmp_path):
    """A module that is not there makes the common pass fail; its job says so once, the others run."""
    command = [*FAST, *sixteen_images(tmp_path), "classifier.n_neighbors=1", "layer=block1,block2,not.there"]
    code, _output, errors = finish(*command, cwd=tmp_path)

    assert code == 1
    assert errors.count("has no layer 'not.there'") == 1
    assert "Error in job 2" in errors
    assert "1 of 3 jobs failed" in errors
    assert Record(home).statuses(Record(home).jobs) == ["FINISHED", "FINISHED"]  # a misspelt layer begins no run


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["layer=block2", "layer=block1", "layer=block1 classifier.n_neighbors=3"], [(["block1", "block2"], False)]),
        (["layer=block1", "layer=all"], [(["block1", "block2", "block3"], True)]),
        (["layer=block1", "layer=block2 augmentation=mirror"], [(["block1"], False), (["block2"], False)]),
        (["layer=block1", "layer=block2 backbone.seed=1"], [(["block1"], False), (["block2"], False)]),
        (
            ["layer=block3", "layer=[block1,block2@max] layer_fusion=concat"],
            [(["block1", "block2@max", "block3"], False)],
        ),
        (["layer=block1 store=memory", "layer=blokc*"], []),
    ],
)
def test_passes(lines, expected, tmp_path):
    """Layers of equal data, network and views are one; pixels join where a job compares layers with them."""
    found = passes(jobs(tmp_path, *lines))

    assert [(one["layer"], one["baseline"] is not None) for one in found] == expected


def test_extraction_is_no_preparation(tmp_path):
    """A sweep whose jobs extract, or would say what they extract, extracts nothing before them."""
    job = Job(0, [], load("extract", ["backbone=tiny", "dry_run=true"]), tmp_path)

    assert passes([job]) == []
