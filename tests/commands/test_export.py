"""An exported run, loaded by MLflow and served by it over HTTP."""

import base64
import csv
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import pandas as pd
import pytest

from offshelf.commands.export import main
from offshelf.errors import ConfigError, TrackingError
from offshelf.tracking.mlflow.server import free_port

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),  # of type hints in MLflow's own code,
]


@pytest.fixture(scope="module")
def place(tmp_path_factory, noise_run):
    """A run on two classes of noise, its images, and its export."""
    place = noise_run(tmp_path_factory.mktemp("place"))
    assert main([str(place / "out"), str(place / "model"), f"home={place / 'home'}"]).code == 0
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
    """Bytes, and no pickle in it; without a folder of images a path is no image, whether it is there or not."""
    paths, lines = own(place)
    from mlflow.pyfunc import load_model

    model = load_model(str(place / "model"))
    named, missing = model.predict(pd.DataFrame({"image": [paths[0], "/no/such.png"]}))

    agree(model.predict(pd.DataFrame({"image": [Path(path).read_bytes() for path in paths]})), lines)
    assert named["error"] == missing["error"] and "not base64" in named["error"]
    assert not [path for path in (place / "model").rglob("*") if path.suffix in (".pkl", ".pickle", ".joblib")]


def test_paths_below_a_folder_given_at_export(place, tmp_path):
    """As paths in it, or whole; whoever loads the model may name another."""
    from mlflow.pyfunc import load_model

    paths, lines = own(place)
    given = [f"home={place / 'home'}", f"images={place / 'images'}"]
    assert main([str(place / "out"), str(tmp_path / "model"), *given]).code == 0
    model = load_model(str(tmp_path / "model"))
    moved = load_model(str(tmp_path / "model"), model_config={"images": str(place / "images/test")})

    agree(model.predict(pd.DataFrame({"image": [line["id"] for line in lines]})), lines)
    agree(model.predict(pd.DataFrame({"image": paths})), lines)
    assert moved.predict(pd.DataFrame({"image": [lines[0]["id"]]}))[0]["error"]
    with pytest.raises(ConfigError, match="is not a folder"):
        main([str(place / "out"), str(tmp_path / "other"), f"home={place / 'home'}", f"images={tmp_path / 'none'}"])


def test_whole_without_an_installed_offshelf(place):
    """Its code is in the model, and its requirements are packages that an index has."""
    paths, lines = own(place)
    program = """
import json, sys
sys.path += json.loads(sys.argv[1])
import pandas as pd
from mlflow.pyfunc import load_model
model = load_model(sys.argv[2])
answers = model.predict(pd.DataFrame({"image": [open(path, "rb").read() for path in sys.argv[3:]]}))
import offshelf
print(json.dumps([offshelf.__file__, answers]))
"""
    libraries = [path for path in sys.path if path.endswith("-packages")]
    # Without `site` no editable install is seen, and -I leaves PYTHONPATH and the working folder out.
    command = [sys.executable, "-I", "-S", "-W", "ignore", "-c", program, json.dumps(libraries)]
    done = subprocess.run(
        [*command, str(place / "model"), *paths], capture_output=True, text=True, cwd=place / "model", check=False
    )
    assert done.returncode == 0, done.stderr
    file, answers = json.loads(done.stdout.splitlines()[-1])
    required = (place / "model/requirements.txt").read_text(encoding="utf-8").splitlines()

    assert Path(file).is_relative_to(place / "model")
    agree(answers, lines)
    assert "offshelf" not in {line.partition("==")[0] for line in required}
    assert {"torch", "hydra-core", "numpy"} <= {line.partition("==")[0] for line in required}
    assert not [line for line in required if "+" in line]


def test_probabilities_are_a_parameter(place):
    """Of the model's signature, known to whoever asks; where the run has learnt none the answer says so."""
    from mlflow.exceptions import MlflowException
    from mlflow.pyfunc import load_model

    model = load_model(str(place / "model"))
    paths, _ = own(place)
    image = pd.DataFrame({"image": [Path(paths[0]).read_bytes()]})

    assert [(param.name, param.default) for param in model.metadata.signature.params] == [("probabilities", False)]
    assert "probability" not in model.predict(image)[0]
    with pytest.raises(MlflowException, match="not learnt probabilities"):
        model.predict(image, params={"probabilities": True})


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
        refused(port, texts[0])
    finally:
        os.killpg(server.pid, 15)
        server.wait(30)


def refused(port, good):
    """What cannot be answered, in its row or, of the whole, with status 400; a stack trace in neither."""
    bad = [None, "", 3, [[0, 1]], base64.b64encode(b"hello").decode(), "http://127.0.0.1/ping", "/etc/passwd"]
    answers = ask(port, [good, *bad])
    assert [answer["error"] is None for answer in answers] == [True, *[False] * len(bad)]
    assert ask(port, []) == []
    wrong = {"dataframe_split": {"columns": ["picture"], "data": [[good]]}}
    unlearnt = {"dataframe_records": [{"image": good}], "params": {"probabilities": True}}
    for body, why in ((wrong, "missing inputs ['image']"), (unlearnt, "not learnt probabilities")):
        with pytest.raises(HTTPError) as caught:
            post(port, body)
        said = caught.value.read().decode()
        assert (caught.value.code, why in said, "Traceback" in said) == (400, True, False), said


def ask(port, images):
    """What the server says."""
    return post(port, {"dataframe_split": {"columns": ["image"], "data": [[image] for image in images]}})


def post(port, body):
    """The predictions in the answer."""
    content = json.dumps(body).encode()
    request = Request(f"http://127.0.0.1:{port}/invocations", content, {"Content-Type": "application/json"})
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
