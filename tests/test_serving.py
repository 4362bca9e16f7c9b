"""An exported run, loaded by MLflow and served by it over HTTP."""

import base64
import csv
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

import pandas as pd
import pytest

from noise import write_noise
from offshelf.config import build, load, plain
from offshelf.errors import ModelError, TrackingError
from offshelf.serving import main
from offshelf.tracking.ui import free_port

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),  # of type hints in MLflow's own code,
]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A run on two classes of noise, its images, and its export."""
    place = tmp_path_factory.mktemp("place")
    write_noise(place / "images")
    chosen = ["dataset=folder", f"dataset.root={place / 'images'}", "backbone=tiny", f"home={place / 'home'}"]
    config = load("classify", [*chosen, "tracking=none", "bootstrap.replicates=0", "classifier=linear_svm_ovr"])
    build(config)(output_dir=str(place / "out"), config=plain(config))
    assert main([str(place / "out"), str(place / "model"), f"home={place / 'home'}"]) == 0
    return place


def own(place):
    """The run's test images, its classes and scores."""
    lines = list(csv.DictReader((place / "out/predictions.csv").read_text().splitlines()))
    return [str(place / "images" / line["id"]) for line in lines], lines


def agree(answers, lines):
    """Whether answers are the run's own."""
    assert [answer["class"] for answer in answers] == [line["predicted"] for line in lines]
    scores = [float(line["score"]) for line in lines]
    assert [answer["score"] for answer in answers] == pytest.approx(scores, abs=1e-5)


def test_loaded_by_mlflow(place):
    """Paths and bytes, and no pickle in it."""
    paths, lines = own(place)
    from mlflow.pyfunc import load_model

    model = load_model(str(place / "model"))

    agree(model.predict(pd.DataFrame({"image": paths})), lines)
    agree(model.predict(pd.DataFrame({"image": [Path(path).read_bytes() for path in paths]})), lines)
    assert not [path for path in (place / "model").rglob("*") if path.suffix in (".pkl", ".pickle", ".joblib")]


def test_probabilities_are_a_parameter(place):
    """Of the model's signature, known to whoever asks; where the run has learnt none the answer says so."""
    from mlflow.pyfunc import load_model

    model = load_model(str(place / "model"))
    paths, _ = own(place)

    assert [param.name for param in model.metadata.signature.params] == ["probabilities"]
    with pytest.raises(ModelError, match="learnt no probabilities"):
        model.predict(pd.DataFrame({"image": paths}), params={"probabilities": True})


def test_served_over_http(place):
    """`mlflow models serve` answers base64 and data: URLs with the run's own scores."""
    port = free_port(5700)
    command = [sys.executable, "-m", "mlflow", "models", "serve", "--env-manager", "local", "-p", str(port)]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    server = subprocess.Popen(
        [*command, "-m", str(place / "model")], env={**os.environ, "PATH": path}, start_new_session=True
    )
    try:
        wait(port)
        paths, lines = own(place)
        texts = [base64.b64encode(Path(path).read_bytes()).decode() for path in paths]
        agree(ask(port, texts), lines)
        agree(ask(port, [f"data:image/png;base64,{text}" for text in texts]), lines)
    finally:
        os.killpg(server.pid, 15)
        server.wait(30)


def ask(port, images):
    """What the server says."""
    body = json.dumps({"dataframe_records": [{"image": image} for image in images]}).encode()
    request = Request(f"http://127.0.0.1:{port}/invocations", body, {"Content-Type": "application/json"})
    with urlopen(request, timeout=90) as answer:
        return json.load(answer)["predictions"]


def wait(port):
    """Until the server is up."""
    for _ in range(180):
        try:
            with urlopen(f"http://127.0.0.1:{port}/ping", timeout=5):
                return
        except (URLError, OSError):
            time.sleep(0.5)
    raise AssertionError("the server did not start")


def test_a_folder_that_holds_something(place):
    """Is not written into."""
    with pytest.raises(TrackingError, match="was not written"):
        main([str(place / "out"), str(place / "images"), f"home={place / 'home'}"])
