"""Claims on jobs: one process does a job, and others learn how it ended."""

import pytest
from omegaconf import OmegaConf

from offshelf.launcher import Ending, Job
from offshelf.sweep.claims import Claims

CONFIG = OmegaConf.create({"C": 1})


def job(folder, *overrides, digest="d"):
    return Job(0, overrides, CONFIG, folder, digest=digest)


@pytest.fixture
def claims(tmp_path):
    return Claims(tmp_path)


def test_while_it_is_done_nobody_else_does_it(claims, tmp_path):
    """Also not where it is launched in another way; another job, or the same with other data, is free."""
    one = job(tmp_path, "C=1")

    def work(mine):
        assert not claims.is_free(mine)
        assert claims.do(job(tmp_path, "C=1", "launcher=joblib"), pytest.fail) is None
        assert claims.is_free(job(tmp_path, "C=2"))
        assert claims.is_free(job(tmp_path, "C=1", digest="e"))
        assert claims.ending(mine) is None
        return Ending(0.5, 1.0)

    assert claims.do(one, work) == claims.ending(one) == Ending(0.5, 1.0)
    assert claims.is_free(one)
    assert claims.do(one, pytest.fail) is None
    assert not claims.has_failed()


def test_failure_is_an_ending(claims, tmp_path):
    ending = Ending(None, 1.0, "no memory")
    claims.do(job(tmp_path), lambda _: ending)

    assert claims.has_failed()
    assert claims.ending(job(tmp_path)) == ending


def test_broken_off_is_none(claims, tmp_path):
    """Others may have it then."""

    def leave(_):
        raise SystemExit(143)

    with pytest.raises(SystemExit):
        claims.do(job(tmp_path), leave)
    assert claims.ending(job(tmp_path)) is None
    assert claims.is_free(job(tmp_path))


def test_not_a_number(claims, tmp_path):
    claims.do(job(tmp_path), lambda _: Ending(float("nan"), 1.0))
    assert str(claims.ending(job(tmp_path)).value) == "nan"


def test_alone(tmp_path):
    """Without a folder nothing is claimed, and nothing written."""
    alone = Claims()
    assert alone.do(job(tmp_path), lambda _: Ending(0.5, 1.0)) == Ending(0.5, 1.0)
    assert alone.ending(job(tmp_path)) is None
    assert not alone.has_failed()
    assert not list(tmp_path.iterdir())


def test_a_folder_that_takes_nothing(tmp_path):
    """As on a full disk: the job is done all the same."""
    (tmp_path / "file").touch()
    claims = Claims(tmp_path / "file")
    assert claims.do(job(tmp_path), lambda _: Ending(0.5, 1.0)) == Ending(0.5, 1.0)
    assert claims.is_free(job(tmp_path))
