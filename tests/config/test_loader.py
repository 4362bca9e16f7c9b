"""Configs composed from a copy are those that Hydra composes, for whatever overrides."""

import random

import pytest
from hydra import compose
from omegaconf import OmegaConf

from offshelf.config.compose import _search_path, all_composed, composed
from offshelf.config.hydra_errors import explain
from offshelf.config.loader import independent, sharing_composition
from offshelf.config.override import parse
from offshelf.errors import ConfigError

COMBINED = [
    *("backbone=pixels", "backbone=tiny", "backbone@baseline=tiny", "classifier=knn", "~baseline", "tracking=none"),
    *("seed=7", "layer=last", "name='a=b, c'", "name=${seed}", "pooling=???", "baseline=null", "on_error=skip"),
    *("classifier.C=0.5", "classifier.C=[1,10]", "++classifier.C=3", "classifier.estimator={_target_: mine.SVM}"),
    *("bootstrap.replicates=10", "bootstrap={replicates: 5}", "bootstrap.seed=${seed}", "~bootstrap.level"),
    *("+backbone.kwargs={a: 1}", "++backbone.kwargs.b=2", "classifier.estimator.loss=hinge", "store.root=${home}/x"),
    *("hydra.job.name=${seed}", "hydra.sweep.subdir=${hydra:job.override_dirname}", "sweep.fail_fast=true"),
]

WRONG = ["classifier.D=1", "clasifier.C=1", "backbone=pixel", "+seed=1", "seed=1,2"]


def outcome(overrides):
    """What Hydra composes, its own settings included; in case of an error, the sentence about it."""
    try:
        return OmegaConf.to_container(compose("classify", overrides, return_hydra_config=True))
    except Exception as error:
        return str(explain(error))


def outcomes(lists):
    with _search_path("classify", None):
        return [outcome(overrides) for overrides in lists]


@pytest.mark.slow
def test_as_hydra_composes():
    """In one loader, with whatever it has composed before."""
    draw = random.Random(0)
    lists = [draw.sample(COMBINED, draw.randint(1, 6)) for _ in range(10)]
    lists += [["classifier.C=1", "seed=1", wrong] for wrong in WRONG]
    expected = outcomes(lists)
    with sharing_composition():
        found = outcomes([*lists, *lists])  # the second time from copies

    assert found == [*expected, *expected]
    assert 4 <= sum(isinstance(one, dict) for one in expected) < len(expected)


def test_a_copy_is_a_copy():
    """A config that is changed changes no other."""
    first, second = all_composed("classify", [["seed=1"], ["seed=2"]])
    first.bootstrap.replicates = 5

    assert (first.seed, second.seed) == (1, 2)
    assert second == composed("classify", ["seed=2"])[0]


def test_options_of_the_user(tmp_path):
    """A folder of the user's own, and one on Hydra's search path, have options that are chosen, not set as texts."""
    for folder, name in ((tmp_path / "own", "mine"), (tmp_path / "more", "other")):
        (folder / "postprocess").mkdir(parents=True)
        (folder / "postprocess" / f"{name}.yaml").write_text(f"_target_: {name}.Steps\n")
    path = f"hydra.searchpath=[file://{tmp_path / 'more'}]"
    made = all_composed(
        "classify", [["postprocess=mine"], [path, "postprocess=other"], ["postprocess=l2"]], tmp_path / "own"
    )

    assert [one.postprocess["_target_"] for one in made[:2]] == ["mine.Steps", "other.Steps"]
    with pytest.raises(ConfigError, match="other"):
        all_composed("classify", [["postprocess=other"]], tmp_path / "own")


def test_independent():
    """An override whose key is that of another one, or above or below it, keeps its place among them."""
    parsed = parse(["a.b=1", "a.bc=1", "+c=1", "c.d=2", "~e", "f=1,2", "g@h=1", "hydra.verbose=true", "i=1", "i=2"])

    assert [str(one.input_line) for one in independent(parsed, parsed)] == ["a.b=1", "a.bc=1"]
