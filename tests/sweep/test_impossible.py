"""A sweep none of whose jobs can be run is a mistake: it is answered before anything is on record."""

import pytest
from processes import FAST, Record, finish, sixteen_images

BAD = {
    "a layer": ["layer=blok1", "did you mean 'block1'"],
    "layers": ["layer=blok1,blok2", "None of the 2 jobs can be run. First job 0"],
    "values": ["layer=block1,block2", "classifier.n_neighbors=-1", "n_neighbors"],
    "folders": ["dataset=folder", "dataset.root=nowhere,nothing", "nowhere is not a folder"],
}


@pytest.mark.slow
@pytest.mark.parametrize("bad", BAD)
def test_nothing_is_begun(bad, home, tmp_path):
    """One sentence, and no run."""
    *words, said = BAD[bad]
    code, output, errors = finish(*FAST, *words, cwd=tmp_path)

    assert code == 1
    assert said in errors
    assert "FAILED" not in output
    assert not (home / "mlflow.db").exists()
    assert not (home / "sweeps").exists()


@pytest.mark.slow
def test_one_possible_job_is_enough(home, tmp_path):
    """The other is a failed job, as ever."""
    command = [*FAST, *sixteen_images(tmp_path), "classifier.n_neighbors=1", "layer=blok1,block1"]
    code, output, _ = finish(*command, cwd=tmp_path)

    assert code == 1
    assert output.count("FAILED") == 1
    assert Record(home).statuses(Record(home).jobs) == ["FINISHED"]
