"""The client of the page on serving is run as it stands there: it says what `offshelf predict` says."""

import csv
import io
import subprocess
import sys

import numpy as np
import pytest
from noise import write_noise
from PIL import Image
from test_guide import blocks

from offshelf.commands import export as serving
from offshelf.commands import predict
from offshelf.config import build, load, plain

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning"),
]


def transparent(folder):
    """Images that a client has to lay on the background to see them as offshelf does, and one that lies on its side."""
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (40, 32, 4), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / "alpha.png")
    Image.fromarray(pixels[..., [0, 3]]).save(folder / "grey.png")
    palette = Image.fromarray(pixels[..., :3]).quantize(16)
    palette.save(folder / "palette.png", transparency=3)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels[..., :3]).save(folder / "side.jpg", exif=exif)
    return folder


@pytest.mark.parametrize("calibrate", [pytest.param("false", marks=pytest.mark.soak), "true"])
def test_the_client_of_the_page(calibrate, tmp_path, capsys):
    """With and without probabilities; transparent, palette and turned images, on a background that is not white."""
    (client,) = (block for block in blocks("serving.md") if block.file == "ask.py")
    (tmp_path / "ask.py").write_text("\n".join(client.lines), encoding="utf-8")
    write_noise(tmp_path / "images")
    chosen = ["dataset=folder", f"dataset.root={tmp_path / 'images'}", "dataset.background=orange", "backbone=tiny"]
    learnt = ["classifier=linear_svm_ovr", f"classifier.calibrate={calibrate}", "classifier.C=1"]
    config = load("classify", [*chosen, *learnt, "tracking=none", "bootstrap.replicates=0"])
    build(config)(output_dir=str(tmp_path / "out"), config=plain(config))
    serving.main([str(tmp_path / "out"), str(tmp_path / "run.onnx")])
    folder = transparent(tmp_path / "odd")
    capsys.readouterr()
    predict.main([str(tmp_path / "out"), str(folder)])
    own = list(csv.reader(io.StringIO(capsys.readouterr().out)))[1:]
    command = [sys.executable, str(tmp_path / "ask.py"), str(tmp_path / "run.onnx"), *(line[0] for line in own)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    asked = list(csv.reader(io.StringIO(said)))

    assert len(own) == 4 and {len(line) for line in own} == {4 if calibrate == "true" else 3}
    assert [line[:2] for line in asked] == [line[:2] for line in own]
    for mine, theirs in zip(asked, own, strict=True):
        assert list(map(float, mine[2:])) == pytest.approx(list(map(float, theirs[2:])), rel=2e-2, abs=2e-3)
