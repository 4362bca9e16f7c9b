"""Engines give eager PyTorch's numbers, on every shipped backbone; where they cannot, that is said."""

import logging
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch

from offshelf.augmentation import center, mirror
from offshelf.backbone import Pixels, Tiny
from offshelf.backbone.preprocessing import Preprocessing
from offshelf.config import build_group, load
from offshelf.dataset import Digits, ImageArray
from offshelf.errors import BackboneError, ConfigError
from offshelf.extractor import Extractor, Request, engine, get_or_extract, plan
from offshelf.extractor.engine import TOLERANCE, Eager, build_engine
from offshelf.extractor.plan import Plan
from offshelf.extractor.proof import relative_distance
from offshelf.store import DiskStore, MemoryStore

pytest.importorskip("openvino")

SHIPPED = {
    "efficientnet_lite0": [],
    "resnet50": ["backbone.weights=null"],
    "alexnet": ["backbone.weights=null"],
    "vgg16": ["backbone.weights=null"],
    "convnext_tiny": ["backbone.weights=null"],
    "vit_b_16": ["backbone.weights=null"],
    "overfeat": ["backbone.weights=null"],
    "overfeat_fast": ["backbone.weights=null"],
    "timm": ["backbone.arch=vit_tiny_patch16_224", "backbone.weights=null", "backbone.img_size=64"],
    "tiny": [],
    "pixels": [],
}

LARGE = ("resnet50", "alexnet", "vgg16", "convnext_tiny", "vit_b_16", "overfeat", "overfeat_fast")
"""Of the kinds of layers that the others have too: too long for every run."""


def backbone(name, *overrides):
    """A shipped option, with random weights where the published ones would have to be fetched."""
    return build_group(load("layers", [f"backbone={name}", *overrides]), "backbone")


def photographs(size, count=2):
    """Crops of scikit-learn's two photographs, uint8 [count, size, size, 3]."""
    from sklearn.datasets import load_sample_images

    whole = load_sample_images().images
    return np.stack([whole[row % 2][row * 9 : row * 9 + size, row * 7 : row * 7 + size] for row in range(count)])


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.soak) if name in LARGE else name for name in SHIPPED]
)
def test_openvino_is_within_the_tolerance_on_every_shipped_backbone(name):
    """All layers, float32: a relative distance of at most 1e-4."""
    shipped = backbone(name, *SHIPPED[name])
    request = Request(shipped, shipped.layer_names(), "auto", center().views)
    pixels = torch.from_numpy(photographs(shipped.preprocessing().crop))
    eager = Eager(request)
    features = build_engine(Plan("cpu", "float32", "openvino", ""), eager, pixels)(pixels)

    for layer, expected in eager(pixels).items():
        assert relative_distance(features[layer], expected) <= TOLERANCE["float32"], layer


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("g++"), reason="torch.compile needs a C++ compiler")
@pytest.mark.parametrize("precision", ["float32", pytest.param("bfloat16", marks=pytest.mark.soak)])
def test_compile(precision):
    """The same through torch.compile."""
    images = [ImageArray(image) for image in photographs(40, 5)]
    request = Request(Tiny(), Tiny().layer_names(), "auto", mirror().views)
    plain = get_or_extract(MemoryStore(), Extractor(engine="eager", device="cpu"), images, request)
    settings = {"engine": "compile", "device": "cpu", "precision": precision, "batch_size": 4}
    compiled = get_or_extract(MemoryStore(), Extractor(**settings), images, request)

    for layer, expected in plain.values.items():
        distance = np.linalg.norm(compiled.values[layer] - expected) / np.linalg.norm(expected)
        assert distance <= (1e-4 if precision == "float32" else 3e-2)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("engine", "shipped", "layers"),
    [
        pytest.param(
            *("openvino", backbone("resnet50", "backbone.weights=null"), ("layer3", "avgpool")), marks=pytest.mark.soak
        ),
        ("eager", backbone("resnet50", "backbone.weights=null"), ("layer3", "avgpool")),
        pytest.param("openvino", backbone("efficientnet_lite0"), ("blocks.5", "pre_logits"), marks=pytest.mark.soak),
        (
            "openvino",
            backbone("timm", "backbone.arch=test_efficientnet", "backbone.weights=null"),
            ("blocks.2", "pre_logits"),
        ),
    ],
)
def test_bfloat16_is_close_and_another_feature(engine, shipped, layers):
    """Within 3e-2, also on a network of depthwise convolutions; the key says precision and engine."""
    images = [ImageArray(image) for image in photographs(400, 2)]
    request = Request(shipped, layers, "auto", center().views)
    low = Extractor(engine=engine, device="cpu", precision="bfloat16", batch_size=2)
    plain, lower = (
        get_or_extract(MemoryStore(), extractor, images, request)
        for extractor in (Extractor(engine="eager", device="cpu", batch_size=2), low)
    )

    for layer, expected in plain.values.items():
        assert 0 < np.linalg.norm(lower.values[layer] - expected) / np.linalg.norm(expected) <= 3e-2
    assert plain.digest != lower.digest


@pytest.mark.soak
def test_bfloat16_keeps_the_accuracy_on_digits(tmp_path, digit_features):
    """EfficientNet-Lite0, the layer that digits like best: within 0.5 point of float32, trained in float32."""
    from sklearn.svm import LinearSVC

    digits, shipped = Digits().load(), backbone("efficientnet_lite0")
    request = Request(shipped, ("blocks.5",), "auto", center().views)
    (fold,), accuracy = digits.folds, {}
    shutil.copytree(digit_features, tmp_path / "store")  # in float32

    def unit_rows(precision, rows):
        extractor = Extractor(device="cpu", engine="openvino", precision=precision)
        pictures = [digits.pictures[row] for row in rows]
        found = get_or_extract(DiskStore(tmp_path / "store"), extractor, pictures, request).values["blocks.5"][:, 0]
        return found / np.linalg.norm(found, axis=1, keepdims=True)

    fitted = LinearSVC(C=100.0).fit(unit_rows("float32", fold.train), digits.targets[fold.train])
    for precision in ("float32", "bfloat16"):
        accuracy[precision] = fitted.score(unit_rows(precision, fold.test), digits.targets[fold.test])

    assert accuracy["float32"] > 0.93
    assert abs(accuracy["bfloat16"] - accuracy["float32"]) <= 0.005, accuracy


@pytest.mark.slow
def test_a_wrong_engine_is_found_out(monkeypatch, caplog):
    """An engine whose numbers differ is not used: eager where nobody asked for it, an error where somebody did."""
    right = engine._ENGINES["openvino"]

    def wrong(recorded, plan, layers):
        run = right(recorded, plan, layers)
        return lambda pixels: {layer: values * 1.01 for layer, values in run(pixels).items()}

    monkeypatch.setitem(engine._ENGINES, "openvino", wrong)
    monkeypatch.setattr(plan, "WORTH_PREPARING", 1)
    images = [ImageArray(image) for image in photographs(40, 3)]
    request = Request(Tiny(), ("block2",), "auto", center().views)
    found = get_or_extract(MemoryStore(), Extractor(device="cpu"), images, request)

    assert (
        "openvino cannot run tiny (its features of layer block2 differ from PyTorch's by 1.0e-02 in float32)"
        in caplog.text
    )
    assert found.cost.how == "cpu, float32, engine eager (openvino cannot run it)"
    for asked in ({"engine": "openvino"}, {"precision": "bfloat16"}):
        with pytest.raises(BackboneError, match="engine=eager"):
            get_or_extract(MemoryStore(), Extractor(device="cpu", **asked), images, request)


def test_what_cannot_be_recorded_runs_eagerly(monkeypatch, caplog):
    """A network whose way depends on the data has no graph."""
    from torch import nn

    from offshelf.backbone.network import TappedNetwork

    class Moody(Tiny):
        def load(self):
            class Way(nn.Module):
                def forward(self, images):
                    return images * 2 if images.sum() > 0 else images * 3

            return TappedNetwork(nn.Sequential(Way()), {"block1": "0"}, "moody")

    monkeypatch.setattr(plan, "WORTH_PREPARING", 1)
    images = [ImageArray(image) for image in photographs(40, 3)]
    found = get_or_extract(
        MemoryStore(), Extractor(device="cpu"), images, Request(Moody(), ("block1",), "auto", center().views)
    )

    assert "eager PyTorch does" in caplog.text
    assert np.isfinite(found.values["block1"]).all()


@pytest.mark.slow
def test_what_openvino_cannot_convert_is_told(monkeypatch, caplog):
    """Though OpenVINO leaves the root logger at ERROR after a failed conversion: this warning and later ones come."""
    from torch import nn
    from torch.nn.functional import interpolate

    from offshelf.backbone.network import TappedNetwork

    class Smooth(nn.Module):
        def forward(self, images):
            return interpolate(images, size=(7, 7), mode="bicubic", antialias=True)

    class Resizing(Tiny):
        def load(self):
            return TappedNetwork(nn.Sequential(Smooth()), {"block1": "0"}, "resizing")

    monkeypatch.setattr(plan, "WORTH_PREPARING", 1)
    images = [ImageArray(image) for image in photographs(40, 3)]
    request = Request(Resizing(), ("block1",), "auto", center().views)
    root = logging.getLogger()
    before = root.level, root.filters[:], root.handlers[:]
    get_or_extract(MemoryStore(), Extractor(device="cpu"), images, request)

    assert "The engine openvino cannot run tiny" in caplog.text
    assert (root.level, root.filters, root.handlers) == before


@pytest.mark.parametrize(
    ("settings", "images", "expected"),
    [
        ({}, 10, "eager"),
        ({}, 5000, "openvino"),
        ({"engine": "eager"}, 5000, "eager"),
        ({"precision": "bfloat16"}, 10, "openvino"),  # part of the identity, whatever the number of images
        ({"precision": "bfloat16"}, None, "openvino"),
    ],
)
def test_what_auto_stands_for(settings, images, expected):
    """On a machine without a GPU."""
    assert Extractor(device="cpu", **settings).plan(images).engine == expected


def test_no_engine_for_pixels():
    """There is nothing to compile; in bfloat16 the engine belongs to the identity, and what is asked for is done."""
    engines = [
        Extractor(device="cpu", **settings).plan(5000, Pixels()).engine
        for settings in ({}, {"engine": "openvino"}, {"precision": "bfloat16"})
    ]
    assert engines == ["eager", "openvino", "openvino"]


def test_without_openvino(monkeypatch):
    """Eager, and the way to more speed; asked for, a sentence."""
    monkeypatch.setattr(plan, "has_openvino", lambda: False)

    assert "pip install 'offshelf[fast]'" in Extractor(device="cpu").plan(5000).why
    with pytest.raises(ConfigError, match=r"pip install 'offshelf\[fast\]'"):
        Extractor(device="cpu", engine="openvino").plan(5000)


@pytest.mark.slow
def test_nothing_phones_home():
    """OpenVINO's reporting package is never imported."""
    code = """
import sys
from offshelf.backbone import Tiny
from offshelf.backbone.preprocessing import Preprocessing
from offshelf.augmentation import center
from offshelf.dataset import Digits
from offshelf.extractor import Extractor, Request, extract_missing
from offshelf.store import MemoryStore
images = Digits().load().pictures[:4]
cost = extract_missing(MemoryStore(), Extractor(engine="openvino", device="cpu"), images,
            Request(Tiny(), ("block1",), "avg", center().views))
assert "openvino" in sys.modules and cost.extracted == 4
sys.exit(any(name.startswith("openvino_telemetry") and module for name, module in sys.modules.items()))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


@pytest.mark.soak
@pytest.mark.slow
def test_settings_do_not_change_the_numbers_of_a_real_network():
    """EfficientNet-Lite0 on digits: batch size, threads, chunks and engine leave every feature within 1e-5."""
    shipped = backbone("efficientnet_lite0")
    images = Digits().load().pictures[:9]
    request = Request(shipped, ("blocks.0", "blocks.4", "pre_logits"), "auto", center().views)
    plain = get_or_extract(MemoryStore(), Extractor(device="cpu", engine="openvino", batch_size=9), images, request)
    for settings in ({"batch_size": 4, "workers": 1, "chunk": 7}, {"engine": "eager", "batch_size": 1}):
        other = get_or_extract(
            MemoryStore(), Extractor(**{"device": "cpu", "engine": "openvino", **settings}), images, request
        )
        assert other.digest == plain.digest
        for layer, values in plain.values.items():
            assert np.abs(values - other.values[layer]).max() <= 1e-5 * np.abs(values).max(), (settings, layer)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", ["eager", "compile"])
def test_gpu_within_the_tolerance(name):
    """The same features from the GPU."""
    shipped = backbone("efficientnet_lite0")
    images = [ImageArray(image) for image in photographs(224, 5)]
    request = Request(shipped, shipped.layer_names(), "auto", mirror().views)
    plain = get_or_extract(MemoryStore(), Extractor(device="cpu", engine="eager"), images, request)
    other = get_or_extract(MemoryStore(), Extractor(device="cuda", engine=name), images, request)

    for layer, expected in plain.values.items():
        assert np.linalg.norm(other.values[layer] - expected) / np.linalg.norm(expected) <= 1e-3, layer


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_gpu_makes_the_same_views(interpolation):
    """To the last bit."""
    preprocessing = Preprocessing(interpolation=interpolation)
    for pixels in photographs(400, 4):
        for view in mirror().views:
            seen = view.apply(torch.from_numpy(pixels).cuda(), preprocessing)
            assert (seen.cpu().numpy() == view.apply(pixels, preprocessing)).all()
