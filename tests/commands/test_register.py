"""A run in MLflow's registry of models, loaded back from there."""

import csv

import pandas as pd
import pytest
from mlflow.tracking import MlflowClient
from noise import write_noise

from offshelf.commands.export import main as export
from offshelf.commands.register import main
from offshelf.config import load, perform
from offshelf.errors import ConfigError, TrackingError
from offshelf.tracking.mlflow.client import default_uri

pytestmark = [
    pytest.mark.usefixtures("known_digits"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),  # of type hints in MLflow's own code
]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A tracked run on two classes of noise."""
    place = tmp_path_factory.mktemp("place")
    write_noise(place / "images")
    classify(place, place / "out")
    return place


def classify(place, output, *overrides):
    """A run named noise."""
    words = [
        "dataset=folder",
        f"dataset.root={place / 'images'}",
        "backbone=tiny",
        f"home={place / 'home'}",
        "name=noise",
    ]
    config = load("classify", [*words, "bootstrap.replicates=0", "classifier=linear_svm_ovr", *overrides])
    perform(config, output)


def check(place, output, uri, model):
    """What the registry has of a name scores the run's own test images as the run did."""
    import mlflow

    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(uri)
    try:
        loaded = mlflow.pyfunc.load_model(model)
    finally:
        mlflow.set_tracking_uri(before)
    lines = list(csv.DictReader((output / "predictions.csv").read_text().splitlines()))
    answers = loaded.predict(pd.DataFrame({"image": [(place / "images" / line["id"]).read_bytes() for line in lines]}))
    assert [answer["class"] for answer in answers] == [line["predicted"] for line in lines]
    scores = [float(line["score"]) for line in lines]
    assert [answer["score"] for answer in answers] == pytest.approx(scores, abs=1e-5)


@pytest.mark.slow
def test_registered_and_loaded_back(place, capsys):
    """By version and by alias; another registration is the next version."""
    uri, home = default_uri(place / "home"), f"home={place / 'home'}"
    main(["noise", "my model", home])
    said = capsys.readouterr().out
    main(["noise", "my model", "alias=best", home])

    assert "Registered as my model, version 1" in said
    assert f"MLFLOW_TRACKING_URI={uri} mlflow models serve --env-manager local -m 'models:/my model/1'" in said
    assert "version 2" in (again := capsys.readouterr().out) and "my model@best" in again
    check(place, place / "out", uri, "models:/my model/1")
    check(place, place / "out", uri, "models:/my model@best")


@pytest.mark.slow
@pytest.mark.parametrize("alias", ["latest", *(pytest.param(alias, marks=pytest.mark.soak) for alias in ("v1", "a/b"))])
def test_a_refused_alias_leaves_nothing(place, alias):
    """No version, and no name that was not there."""
    client = MlflowClient(default_uri(place / "home"), default_uri(place / "home"))
    with pytest.raises(TrackingError, match="was not registered as 'mistyped'"):
        main(["noise", "mistyped", f"alias={alias}", f"home={place / 'home'}"])
    assert "mistyped" not in {model.name for model in client.search_registered_models()}
    main(["noise", f"kept {alias[0]}", f"home={place / 'home'}"])
    with pytest.raises(TrackingError):
        main(["noise", f"kept {alias[0]}", f"alias={alias}", f"home={place / 'home'}"])
    assert [one.version for one in client.search_model_versions(f"name='kept {alias[0]}'")] in (["1"], [1])


def test_printed_commands_are_quoted(place, tmp_path, capsys):
    """A shell takes the folder as it is called."""
    target = tmp_path / "my $(model) [1]"
    export(["noise", str(target), f"home={place / 'home'}"])
    assert capsys.readouterr().out.endswith(f"-m '{target}'\n")


@pytest.mark.slow
def test_on_a_server(place, tmp_path, tracking_server):
    """The registry of the tracking server that the run is on."""
    uri, _ = tracking_server
    classify(place, tmp_path / "out", f"tracking.uri={uri}")
    main(["noise", "noise", f"uri={uri}"])
    check(place, tmp_path / "out", uri, "models:/noise/1")


def test_what_cannot_be_registered(place):
    """In a sentence each."""
    home = f"home={place / 'home'}"
    with pytest.raises(TrackingError, match="is an output folder"):
        main([str(place / "out"), "noise", home])
    with pytest.raises(TrackingError, match="was not registered as 'a/b'"):
        main(["noise", "a/b", home])
    with pytest.raises(TrackingError, match="There is no run 'nois'"):
        main(["nois", "noise", home])
    with pytest.raises(ConfigError, match="has no setting 'allias=best'"):
        main(["noise", "noise", "allias=best", home])
