"""offshelf runs, as a user types it, on runs in a real store."""

import json
import os
import subprocess
import sys

import pytest

from offshelf.commands.runs import main, to_filter
from offshelf.errors import ConfigError, TrackingError
from offshelf.tracking import MLflow

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning"
)


def log(run, value, target="classify.classify", kind="test", **params):
    """What a task leaves of a run."""
    run.log(
        params={"_target_": f"offshelf.tasks.{target}", "dataset": "coins", "backbone": "tiny", **params},
        metrics={f"{kind}/accuracy": value},
        tags={"metric": "accuracy"},
    )


@pytest.fixture
def runs(home):
    """Two layers under a run, a recommendation whose test images were not read, and a failed run."""
    tracker = MLflow(str(home))
    with tracker.start("two layers") as parent:
        for layer, value in (("low", 0.5), ("high", 0.8)):
            with parent.child(layer) as child:
                log(child, value, layer=layer)
    with tracker.start("a race") as race:
        log(race, 0.7, "recommend.recommend", "cv", layer="mid")
    with pytest.raises(ZeroDivisionError), tracker.start("it's broken"):
        raise ZeroDivisionError


def names(*arguments):
    """Names of the runs that are listed, in their order."""
    return [run["name"] for run in main(arguments).data["runs"]]


def test_newest_first(runs, capsys, monkeypatch):
    """All runs, those below others too, with what a person looks for."""
    monkeypatch.setenv("COLUMNS", "140")
    assert set(names()) == {"it's broken", "a race", "two layers", "low", "high"}
    assert names()[:2] == ["it's broken", "a race"]
    shown = capsys.readouterr().out

    for word in ("coins", "recommend", "classify", "cv/accuracy", "0.7000", "failed", "finished"):
        assert word in shown


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["layer=low"], ["low"]),
        (["layer!=low", "dataset=coins", "sort=value"], ["high", "a race"]),
        (["layer=*i*"], ["a race", "high"]),
        (["status=failed"], ["it's broken"]),
        (["name=it's broken"], ["it's broken"]),
        (["task=recommend"], ["a race"]),
        (["test/accuracy>0.6"], ["high"]),
        (["metrics.`test/accuracy` > 0.4 and params.dataset = 'coins'", "sort=test/accuracy"], ["high", "low"]),
        (["sort=value", "limit=2"], ["high", "a race"]),
        (["dataset=coins", "sort=layer"], ["high", "low", "a race"]),
        (["limit=1"], ["it's broken"]),
        (["dataset=pets"], []),
    ],
)
def test_filter_sort_limit(words, expected, runs):
    """Plain words and MLflow's language."""
    assert names(*words) == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["coins"], "'coins' is not a filter"),
        (["limit=0"], "limit is a positive whole number, or all; got '0'"),
        (["params.dataset = coins"], "MLflow does not understand the filter"),
        (["--frob"], "Unrecognized arguments: --frob"),
        (["experiment=offshef"], "did you mean 'offshelf'"),
    ],
)
def test_mistakes(arguments, message, runs):
    """One sentence."""
    with pytest.raises((ConfigError, TrackingError), match=message) as error:
        main(arguments)
    assert "\n" not in str(error.value)


def test_another_store(runs, home, tmp_path):
    """That of `uri=`, whatever the home holds."""
    uri = f"sqlite:///{tmp_path}/other.db"
    with MLflow(uri=uri).start("elsewhere"):
        pass

    assert names(f"uri={uri}") == ["elsewhere"]
    assert "elsewhere" not in names()


def test_narrow_terminal(runs, capsys, monkeypatch):
    """Columns are left out, and named, instead of folded letter by letter."""
    monkeypatch.setenv("COLUMNS", "60")
    main(["name=high"])
    lines = capsys.readouterr().out.splitlines()

    assert len([line for line in lines if "0.8000" in line and "high" in line]) == 1
    assert "Too wide for this terminal: status, task, when" in lines[-1]


def test_no_runs(home):
    """The way out; where runs wait to be sent, how many."""
    with pytest.raises(TrackingError, match="Make some with: offshelf classify"):
        main([])
    (home / "offline").mkdir(parents=True)
    (home / "offline" / "a.json").write_text("{}")

    assert main([]).data == {"runs": [], "waiting": 1}


def test_words_become_filters():
    """As MLflow's documentation writes them."""
    assert to_filter("dataset=digits") == "params.`dataset` = 'digits'"
    assert to_filter("test/accuracy >= 0.9") == "metrics.`test/accuracy` >= 0.9"
    assert to_filter("tags.note LIKE '%x%'") == "tags.note LIKE '%x%'"


@pytest.mark.slow
def test_json(runs):
    """One document on stdout, the table on stderr; passwords are masked."""
    command = [sys.executable, "-m", "offshelf", "runs", "task=classify", "sort=value", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, "COLUMNS": "120"})

    found = json.loads(done.stdout)["runs"]
    assert [run["value"] for run in found] == [0.8, 0.5]
    assert len(found[0]["id"]) == 32
    assert "0.8000" in done.stderr
