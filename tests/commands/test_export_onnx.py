"""Runs as ONNX files: image files through ONNX Runtime get the scores that `offshelf predict` gives them."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
import warm
from miniature import write
from noise import write_noise
from onnx import ModelProto
from PIL import Image

from offshelf.augmentation import View, look
from offshelf.backbone import Preprocessing
from offshelf.commands import predict
from offshelf.commands.export import main
from offshelf.config import build, load, plain
from offshelf.errors import BackboneError, ConfigError, ModelError

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        tuple(map(int, torch.__version__.split(".")[:2])) < (2, 6), reason="torch 2.5's exporter lacks what is needed"
    ),
]

TOLERANCE = 1e-4
"""Relative, as of engines."""

C = ["classifier.C=1"]

FEATURES = ["augmentation=mirror", "postprocess=standardize", "classifier=liblinear_ovo", "classifier.fusion=features"]

RUNS = {
    "votes": ["backbone=tiny", "layer=block2"],
    "calibrated": [
        "backbone=tiny",
        "postprocess=pca_whiten",
        "postprocess.components=3",
        "augmentation=ten_crop",
        "classifier=linear_svm_ovr",
        "classifier.fusion=max",
        "classifier.calibrate=true",
    ],
    "convnet": ["backbone=torchvision", "backbone.arch=squeezenet1_1", "backbone.weights=null", "classifier=logistic"],
    "features": ["backbone=tiny", *FEATURES],
    "transformer": ["backbone=timm", "backbone.arch=test_vit", "backbone.weights=null", *FEATURES],
    "recipe": [
        "backbone=timm",
        "backbone.arch=test_vit",
        "backbone.weights=null",
        "layer_fusion=dinov2",
        "layer_fusion.blocks=2",
        "classifier=logistic",
    ],
    "pretrained": [
        "backbone=efficientnet_lite0",
        "layer=blocks.4",
        "postprocess=none",
        "classifier=sklearn_linear_svc",
    ],
}
LONG = ("transformer", "pretrained", "convnet", "votes")
"""Whose parts the others have: too long for every run."""


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Three classes of noise."""
    folder = tmp_path_factory.mktemp("images")
    write_noise(folder)
    for seed in range(16, 24):
        pixels = np.random.default_rng(seed).integers(60, 250, (30, 20, 3), dtype=np.uint8)
        path = folder / ("train" if seed < 21 else "test") / "c" / f"{seed}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    return folder


@pytest.fixture
def classify(images, tmp_path, home):
    """Makes a run with overrides, and gives its folder."""

    def made(*overrides, data=("dataset=folder", f"dataset.root={images}")):
        config = load("classify", [*data, f"home={home}", "tracking=none", "bootstrap.replicates=0", *overrides])
        build(config)(output_dir=str(tmp_path / "run"), config=plain(config))
        return tmp_path / "run"

    return made


def exported(run, *more):
    """The session of a run's file, and the file's description."""
    file = run.parent / "run.onnx"
    assert main([str(run), str(file), *more]).code == 0
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    return session, json.loads(session.get_modelmeta().custom_metadata_map["offshelf"])


def asked(session, about, paths):
    """Outputs by name, of image files, seen as the description says."""
    sees = {key: about["preprocessing"][key] for key in ("resize", "crop", "interpolation")}
    views = [View(**view) for view in about["views"]]
    seen = [look(np.asarray(Image.open(path)), views, Preprocessing(**sees)) for path in paths]
    pixels = np.stack([np.stack(one) for one in seen]).transpose(0, 1, 4, 2, 3)
    names = [output.name for output in session.get_outputs()]
    answers = session.run(names, {"pixels": pixels if len(views) > 1 else pixels[:, 0]})
    return dict(zip(names, answers, strict=True))


def predicted(run, folder, *words):
    """Records of `offshelf predict`, and matrices of what they hold by class."""
    out = run.parent / "answers.json"
    assert predict.main([str(run), str(folder), *words, "--out", str(out)]).code == 0
    records = json.loads(out.read_text(encoding="utf-8"))
    return records, {
        name: np.array([list(record[name].values()) for record in records])
        for name in ("scores", "probabilities")
        if name in records[0]
    }


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.soak) if name in LONG else name for name in RUNS]
)
def test_scores_of_image_files(name, classify, images):
    """And classes and probabilities, whatever comes between pixels and scores."""
    run = classify(*RUNS[name], *C)
    is_calibrated = bool({"classifier.calibrate=true", "classifier=logistic"} & set(RUNS[name]))
    session, about = exported(run)
    records, expected = predicted(run, images / "test", *["probabilities=true"] * is_calibrated)
    found = asked(session, about, [record["image"] for record in records])

    assert list(found) == ["scores", "class"] + ["probabilities"] * is_calibrated
    assert [about["classes"][number] for number in found["class"]] == [record["class"] for record in records]
    scale = np.abs(expected["scores"]).max()
    np.testing.assert_allclose(found["scores"], expected["scores"], rtol=0, atol=TOLERANCE * scale)
    if is_calibrated:
        np.testing.assert_allclose(found["probabilities"], expected["probabilities"], atol=TOLERANCE)


@pytest.mark.parametrize(
    "classifier", ["linear_svm_ovr", "logistic", pytest.param("sklearn_logistic", marks=pytest.mark.soak)]
)
def test_several_labels(classifier, classify, tmp_path):
    """Those above 0 are given, each with its probability."""
    write("voc2007", tmp_path / "voc2007")
    data = ("dataset=voc2007", f"dataset.root={tmp_path}", "dataset.verify=false")
    run = classify("backbone=tiny", f"classifier={classifier}", "classifier.calibrate=true", *C, data=data)
    session, about = exported(run)
    records, expected = predicted(run, tmp_path / "voc2007", "probabilities=true")
    found = asked(session, about, [record["image"] for record in records])
    labels = [[name for name, given in zip(about["classes"], row, strict=True) if given] for row in found["labels"]]

    assert about["is_multilabel"]
    assert labels == [record["labels"] for record in records]
    np.testing.assert_allclose(found["scores"], expected["scores"], rtol=TOLERANCE, atol=TOLERANCE)
    np.testing.assert_allclose(found["probabilities"], expected["probabilities"], atol=TOLERANCE)


def test_what_the_file_says(classify, images, capsys):
    """Of itself, and what is printed; there is no path of this machine in it."""
    run = classify("backbone=tiny", "augmentation=mirror", "extractor.precision=bfloat16", "extractor.engine=eager", *C)
    session, about = exported(run)
    said = capsys.readouterr().out

    assert {node.name: node.shape for node in (*session.get_inputs(), *session.get_outputs())} == {
        "pixels": ["images", 3, 32, 32],
        "scores": ["images", 3],
        "class": ["images"],
    }
    assert about["classes"] == ["a", "b", "c"]
    assert about["views"] == [{"box": [0.0, 0.0, 1.0, 1.0], "fit": "center"}]
    assert about["preprocessing"]["background"] == [255, 255, 255]
    assert (about["precision"], about["trained_precision"]) == ("float32", "bfloat16")
    assert "the network's weights among them" in said and "the run in bfloat16" in said
    assert str(Path(__file__).parents[2]).encode() not in (run.parent / "run.onnx").read_bytes()


def test_weights_beyond_two_gigabytes(classify, images, monkeypatch):
    """Lie in a file beside it; here from 100 bytes on."""
    run = classify("backbone=tiny", *C)
    monkeypatch.setattr("offshelf.serving.onnx.write.LARGEST", 100)
    session, about = exported(run)
    records, expected = predicted(run, images / "test")

    assert (run.parent / "run.onnx.data").stat().st_size > 4 * 8 * 27
    found = asked(session, about, [record["image"] for record in records])
    np.testing.assert_allclose(found["scores"], expected["scores"], rtol=TOLERANCE, atol=TOLERANCE)


REFUSED = {
    "SVC cannot be exported to ONNX: linear classifiers can": ["classifier=sklearn_svc", *C],
    "rotated and enclosing views cannot": ["augmentation=jitter8", *C],
    "Views at several scales cannot be exported": ["augmentation=multi_scale", *C],
}


@pytest.mark.parametrize("why", REFUSED)
def test_runs_that_cannot_be_exported(why, classify):
    """Say what of them cannot, and leave nothing."""
    run = classify("backbone=tiny", *REFUSED[why])
    with pytest.raises(ModelError, match=why):
        exported(run)
    assert not list(run.parent.glob("*onnx*"))


def test_a_network_that_cannot_be_recorded(classify, tmp_path, monkeypatch):
    """Whose course depends on what it sees."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "moody.py").write_text(
        "import torch\nfrom torch import nn\n\n\nclass Moody(nn.Module):\n"
        "    def __init__(self):\n        super().__init__()\n        self.flat = nn.Flatten()\n\n"
        "    def forward(self, images):\n"
        "        return self.flat(torch.stack([one if one.sum() > 0 else -one for one in images]))\n"
    )
    sees = ["backbone.sees.resize=8", "backbone.sees.crop=8"]
    run = classify("backbone=custom", "backbone.module=moody.Moody", "layer=flat", *sees, *C)
    with pytest.raises(BackboneError, match=r"Moody cannot be exported to ONNX \(.*Use: offshelf export RUN DIR"):
        exported(run, "trust=moody")


def test_mistakes(classify, monkeypatch):
    """In a sentence each, and no file is written or lost."""
    run = classify("backbone=tiny", *C)
    file = run.parent / "run.onnx"
    with pytest.raises(ConfigError, match="has no setting 'hoem=x'"):
        main([str(run), str(file), "hoem=x"])
    with pytest.raises(ConfigError, match="cannot be written: there is no folder"):
        main([str(run), str(run.parent / "missing/run.onnx")])
    with monkeypatch.context() as context, pytest.raises(ModelError, match="was not kept: its scores differ"):
        context.setattr("offshelf.serving.onnx.write._reference", lambda *_: np.ones((3, 3)))
        exported(run)
    with monkeypatch.context() as context, pytest.raises(ModelError, match="was not kept: ONNX Runtime cannot run it"):
        context.setattr("offshelf.serving.onnx.write._inputs", lambda *_: torch.zeros(3, 3, 32, 32, dtype=torch.int32))
        context.setattr("offshelf.serving.onnx.write._recorded", lambda *_: ModelProto())
        exported(run)
    assert not list(run.parent.glob("*onnx*"))
    file.write_bytes(b"mine")
    with pytest.raises(ConfigError, match="already exists"):
        exported(run)
    assert file.read_bytes() == b"mine"
    file.rename(run.parent / "run.onnx.data")
    with pytest.raises(ConfigError, match=r"run\.onnx\.data already exists"):
        exported(run)
    (run.parent / "run.onnx.data").unlink()
    with monkeypatch.context() as context, pytest.raises(ConfigError, match=r"pip install 'offshelf\[onnx\]'"):
        context.setitem(sys.modules, "onnxscript", None)
        exported(run)


def test_the_command_line(classify):
    """Exit code 1, one line, no traceback."""
    run = classify("backbone=tiny", "classifier=sklearn_svc", *C)
    command = [str(warm.program()), "export", str(run), str(run.parent / "run.onnx")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)

    assert done.returncode == 1
    assert done.stderr.startswith("Error: SVC cannot be exported") and done.stderr.count("\n") == 1
