"""Every kind of probe as a user meets it: a run from Python, its record read back, predictions, a rerun, exports."""

import csv
import json
from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd
import pytest
from PIL import Image

import offshelf
from offshelf.augmentation import View, look
from offshelf.backbone import Preprocessing
from offshelf.commands import export, predict, rerun

pytestmark = [
    pytest.mark.usefixtures("known_digits"),
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),  # of type hints in MLflow's own code
]

DINOV2 = {
    "backbone": ("timm", {"arch": "test_vit", "weights": None, "img_size": 32}),
    "layer_fusion": ("dinov2", {"blocks": 2}),
    "postprocess": "none",
}
NUMBERS = {"classifier": "ridge", "target": "number"}

PROBES = {
    "logistic_ovr": {"classifier": "logistic_ovr", "C": [0.2, 20]},
    "knn of labels": {"classifier": "knn", "n_neighbors": 5, "labels": "tags", "dataset__separator": "|"},
    "nearest neighbour, calibrated": {"classifier": "nearest_neighbour", "classifier__calibrate": True},
    "numbers of views": {**NUMBERS, "augmentation": "mirror", "alpha": [0.1, 1]},
    "numbers of layers together": {**NUMBERS, "layer": ["block2", "block3"], "layer_fusion": "concat"},
    "numbers by DINOv2's recipe": {**NUMBERS, **DINOV2},
}
"""Others are in tests/commands/test_export_onnx.py."""


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """60 images of three classes that differ in colour, and tables with their class, tags and brightness."""
    place = tmp_path_factory.mktemp("tables")
    random = np.random.default_rng(0)
    lines = {"class": ["path,label"], "tags": ["path,label"], "number": ["path,label"]}
    for row in range(60):
        level, colour = random.uniform(0, 120), row % 3
        pixels = np.clip(level + random.normal(0, 10, (12, 12, 3)), 0, 255).astype(np.uint8)
        pixels[..., colour] += np.uint8(60)
        Image.fromarray(pixels).save(place / f"{row}.png")
        tags = "|".join(name for name, has in (("bright", level > 60), ("red", colour == 0)) if has)
        for kind, label in (("class", "abc"[colour]), ("tags", tags), ("number", f"{level:.3f}")):
            lines[kind].append(f"{row}.png,{label}")
    for kind, rows in lines.items():
        (place / f"{kind}.csv").write_text("\n".join(rows))
    return place


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.soak) if "DINOv2" in name else name for name in PROBES]
)
def test_a_probe(name, tables, tmp_path, home):
    """The model that is kept gives the run's own predictions, wherever it is used; a rerun gives the same numbers."""
    words = {"backbone": "tiny", "engine": "eager", "bootstrap__replicates": 0, **PROBES[name]}
    table = tables / f"{words.pop('labels', words.get('target', 'class'))}.csv"
    run = tmp_path / "run"
    result = offshelf.classify(table, output_dir=run, **words)
    lines = list(csv.DictReader((run / "predictions.csv").read_text().splitlines()))
    paths, expected = [str(tables / line["id"]) for line in lines], result.predictions.scores

    answers = tmp_path / "answers.json"
    assert predict.main([str(run), *paths, "--out", str(answers)]).code == 0
    records = json.loads(answers.read_text())
    np.testing.assert_allclose(scores_of(records), expected, atol=1e-4)
    loaded = offshelf.load(run)
    assert loaded.predict(paths).equals(result.predict(paths))
    assert rerun.main([str(run), "--check"]).data["is_equal"]
    served = served_by_mlflow(run, tmp_path / "model", paths[:2])
    np.testing.assert_allclose(scores_of(served), expected[:2], atol=1e-4)
    found = asked_of_onnx(run, tmp_path / "run.onnx", paths[:2])
    np.testing.assert_allclose(found, expected[:2], rtol=1e-3, atol=1e-3)


def scores_of(records):
    """Of each answer, [N, K]; for numbers the number, [N, 1]."""
    return np.array(
        [list(record["scores"].values()) if "scores" in record else [record["number"]] for record in records]
    )


def served_by_mlflow(run, folder, paths):
    """Answers of the exported model."""
    from mlflow.pyfunc import load_model

    assert export.main([str(run), str(folder)]).code == 0
    with_bytes = [Path(path).read_bytes() for path in paths]
    return load_model(str(folder)).predict(pd.DataFrame({"image": with_bytes}))


def asked_of_onnx(run, file, paths):
    """Scores, or numbers, through ONNX Runtime."""
    assert export.main([str(run), str(file)]).code == 0
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    about = json.loads(session.get_modelmeta().custom_metadata_map["offshelf"])
    sees = Preprocessing(**{key: about["preprocessing"][key] for key in ("resize", "crop", "interpolation")})
    seen = np.stack([look(np.asarray(Image.open(path)), [View(**about["views"][0])], sees)[0] for path in paths])
    return session.run([session.get_outputs()[0].name], {"pixels": seen.transpose(0, 3, 1, 2)})[0].reshape(2, -1)
