"""A command line read at once: one way into a sweep, mistakes of flags, configs that are used again."""

import pytest
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper

from offshelf.config.command_line import read
from offshelf.config.override import choices, job_count, parse
from offshelf.errors import ConfigError


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["layer=block1,block3"], "-m runs a job for each; layer=[block1,block3] takes all of them in one run"),
        (["dataset=digits,pets"], "has several values: -m runs a job for each."),
        (["--config-path", "x", "-m"], "--config-dir"),
        (["--experimental-rerun", "x"], "offshelf rerun RUN"),
        (["--frob"], "Unrecognized arguments: --frob"),
        (["-m", "--cfg", "job"], "sweep.dry_run=true"),
        (["--config-name", "retrieve"], "is a config of another task: offshelf retrieve"),
        (["-m", "hydra/launcher=joblib"], "launcher"),
        (["-m", "hydra.mode=RUN", "layer=a,b", "sweep.dry_run=1"], "sweep.dry_run is true or false; got 1."),
        (["sweep.dry_run=true"], "add -m"),
        (["-m", "sweep.dry_run=true", "seed=range(100000)"], "make 100,000 jobs, and a sweep has at most 10,000"),
        (["-m", "seed=range(5,10000000000000,2)"], "make 4,999,999,999,998 jobs"),
        (["-m", "seed=shuffle(range(100,0,-1))", "layer=a,b", "classifier.C=range(1,52)"], "make 10,200 jobs"),
        (["-m", "seed=range(101)", "classifier.C=range(0.5,50.5,0.5)"], "make 10,100 jobs"),
        (["-m", "seed=" + ",".join(map(str, range(10_001)))], "make 10,001 jobs"),
    ],
)
def test_mistakes(arguments, message):
    """One sentence."""
    with pytest.raises(ConfigError) as error:
        read("classify", arguments)

    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_sweeps_are_known_however_they_are_asked_for(tmp_path):
    """By a flag anywhere, an override, or a config file."""
    (tmp_path / "experiment").mkdir()
    text = "# @package _global_\nhydra: { mode: MULTIRUN, sweeper: { params: { layer: 'block1,block2' } } }\n"
    (tmp_path / "experiment/mine.yaml").write_text(text)
    in_file = ["--config-dir", str(tmp_path), "+experiment=mine"]
    ways = [["-m", "layer=a,b"], ["layer=a,b", "--multirun"], ["layer=a,b", "hydra.mode=MULTIRUN"], in_file]
    ways.append(["layer=a,b", "-m", "seed=1"])

    for way in ways:
        assert read("classify", way).first is not None, way
    assert read("classify", ["layer=a"]).first is None


def test_the_record_of_a_run_is_a_config(tmp_path):
    """As a run writes it: it has no defaults, and so none of Hydra's settings."""
    record = "_target_: offshelf.tasks.layers.layers\nhome: h\nseed: 0\nlayer: all\n"
    record += "backbone: {_target_: offshelf.backbone.Tiny, seed: 0}\n"
    (tmp_path / "config.yaml").write_text(record)
    asked = read("layers", ["--config-dir", str(tmp_path), "--config-name", "config", "backbone.seed=3"])

    assert "hydra/job_logging=offshelf" in asked.overrides
    assert any(override.startswith("hydra.run.dir=") for override in asked.overrides)


def test_sweepers_choose_by_cross_validation_alone():
    """One value is cross-validated for them; where nothing can be, they are refused."""
    optuna = ["-m", "hydra/sweeper=optuna", "hydra.sweeper.direction=maximize"]
    pytest.importorskip("hydra_plugins.hydra_optuna_sweeper", reason="pip install 'offshelf[optuna]'")

    assert "classifier.validate=true" in read("classify", [*optuna, "classifier.C=interval(0.1,100)"]).overrides
    for task in ("retrieve", "extract"):
        with pytest.raises(ConfigError, match="would choose by the test images"):
            read(task, [*optuna, "layer=choice(block1,block2)"])


@pytest.mark.parametrize(
    "overrides",
    [
        ["seed=1"],
        ["seed=1,2,3", "layer=a,b"],
        ["seed=range(7)", "classifier.C=range(1,20,4)"],
        ["seed=range(20,3,-4)", "classifier.C=choice(1,2)"],
        ["classifier.C=range(0.5,2.0,0.5)", "layer=[a,b],[c]"],
        ["seed=shuffle(range(1,4))", "name=sort(b,a)", "layer=[a,b]"],
        ["seed=range(3,3)"],
    ],
)
def test_jobs_are_counted(overrides):
    """As many as Hydra makes, which has them all made."""
    parsed = parse(overrides)
    batches = BasicSweeper.split_arguments(parsed, None)

    assert job_count(parsed) == sum(map(len, batches))


def test_a_sweeper_that_chooses_may_have_any_number_of_values():
    """It runs as many jobs as it is told to; of a long range one value is looked at."""
    parsed = parse(["seed=range(3,1000000000)"])

    assert choices(parsed) == [["seed=3"]]
