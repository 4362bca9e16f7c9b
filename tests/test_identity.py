"""Digests change with every field that counts, and with no other."""

from dataclasses import dataclass, field, fields, replace

import numpy as np
import pytest
from safetensors.numpy import save

from offshelf.augmentation import View
from offshelf.backbone import Custom, Pixels, Timm, Tiny, TorchHub, Torchvision
from offshelf.backbone.preprocessing import Preprocessing
from offshelf.cluster import RayCluster
from offshelf.dataset import ImageArray, ImageFile
from offshelf.extractor import Extractor
from offshelf.identity import array_digest, digest
from offshelf.store import FeatureKey


@dataclass(frozen=True)
class Spec:
    """A spec with a path."""

    size: int = 1
    root: str = field(default="/a", metadata={"identity": False})


def test_fields_count_unless_marked():
    """Size is identity, the root is not."""
    assert digest(Spec()) == digest(Spec(root="/b"))
    assert digest(Spec()) != digest(Spec(size=2))


def test_order_of_keys_does_not_count():
    """Canonical JSON sorts."""
    assert digest({"a": 1, "b": (1, 2)}) == digest({"b": [1, 2], "a": 1})


def test_values_without_canonical_form_are_refused():
    """Nothing is silently turned to text."""
    with pytest.raises(TypeError, match="No canonical form"):
        digest({"a": object()})
    with pytest.raises(ValueError):
        digest(float("nan"))


def test_array_digest_sees_dtype_and_shape():
    """Same bytes, other meaning."""
    values = np.zeros((2, 4), np.uint8)
    digests = {array_digest(values), array_digest(values.T), array_digest(values.view(np.int8))}

    assert len(digests) == 3


NET = """
from torch import nn, zeros

class Net(nn.Module):
    def __init__(self, width=1, pretrained=False):
        super().__init__()
        self.register_buffer("a", zeros(2))

class Other(Net): ...
"""
BOXES, SMALL = (0.0, 0.0, 0.5, 1.0), Preprocessing(32, 24)
TURNED = View(angle=10.0, inscribed=False)  # where every field of a view shows


def weights(folder, value):
    """A weights file."""
    path = folder / f"{value}.safetensors"
    path.write_bytes(save({"a": np.full(2, value, np.float32)}))
    return str(path)


def specs(folder):
    """Every spec that features depend on, by name: how its key is made, a plain one, and each field changed."""
    one, two = weights(folder, 1), weights(folder, 2)
    (folder / "net.py").write_text(NET)
    for name in ("repo", "else"):
        (folder / name).mkdir()
        (folder / name / "hubconf.py").write_text(NET)
    (folder / "a.png").write_bytes(b"one")
    (folder / "b.png").write_bytes(b"two")
    hub = TorchHub(str(folder / "repo"), "Net", one, {"last": "fc"}, source="local")
    layer = {"last": "fc"}

    def key(**changes):
        fields = {"network": "n", "module": "m", "pooling": "avg", "view": View(), "backbone": "b", **changes}
        return FeatureKey(**fields)

    return {
        "key": (
            lambda spec: spec.digest,
            key(),
            {
                "network": key(network="N"),
                "module": key(module="M"),
                "pooling": key(pooling="max"),
                "view": key(view=View(mirror=True)),
                "-backbone": key(backbone="B"),
            },
        ),
        "view": (
            digest,
            TURNED,
            {
                "box": replace(TURNED, box=BOXES),
                "fit": replace(TURNED, fit="whole"),
                "mirror": replace(TURNED, mirror=True),
                "angle": replace(TURNED, angle=11.0),
                "fill": replace(TURNED, fill="black"),
                "inscribed": replace(TURNED, inscribed=True),
                "scale": replace(TURNED, scale=2.0),
            },
        ),
        "preprocessing": (
            digest,
            Preprocessing(),
            {
                "resize": Preprocessing(resize=300),
                "crop": Preprocessing(crop=200),
                "interpolation": Preprocessing(interpolation="bicubic"),
                "mean": Preprocessing(mean=(0.5, 0.5, 0.5)),
                "std": Preprocessing(std=(0.5, 0.5, 0.5)),
            },
        ),
        "extractor": (
            lambda spec: spec.key(Tiny(), "block1", "avg", View()).digest,
            Extractor(device="cpu"),
            {
                "precision": Extractor(device="cpu", precision="bfloat16"),
                "-device": Extractor(device="auto"),
                "-engine": Extractor(device="cpu", engine="eager"),
                "-batch_size": Extractor(device="cpu", batch_size=1),
                "-workers": Extractor(device="cpu", workers=3),
                "-processes": Extractor(device="cpu", processes=2),
                "-chunk": Extractor(device="cpu", chunk=1),
                "-cluster": Extractor(device="cpu", cluster="ray"),
                "-ray": Extractor(device="cpu", ray=RayCluster(cpus=2)),
            },
        ),
        "image": (
            lambda spec: spec.digest,
            ImageFile(folder / "a.png"),
            {
                "path": ImageFile(folder / "b.png"),
                "background": ImageFile(folder / "a.png", background=(0, 0, 0)),
                "region": ImageFile(folder / "a.png", region=(0, 0, 1, 1)),
                "-value_range": ImageFile(folder / "a.png", value_range=(0, 4095)),  # it has 8 bits
                "-max_pixels": ImageFile(folder / "a.png", max_pixels=10**9),
            },
        ),
        "tiny": (lambda spec: digest(spec.identity()), Tiny(), {"seed": Tiny(1)}),
        "pixels": (lambda spec: digest(spec.identity()), Pixels(), {"size": Pixels(16)}),
        "torchvision": (
            lambda spec: digest(spec.identity()),
            Torchvision("alexnet", one),
            {
                "arch": Torchvision("vgg11", one),
                "weights": Torchvision("alexnet", two),
                "-layers": Torchvision("alexnet", one, layer),
                "seed": Torchvision("alexnet", one, seed=1),
                "checkpoint_key": Torchvision("alexnet", one, checkpoint_key=""),
                "checkpoint_prefix": Torchvision("alexnet", one, checkpoint_prefix=""),
            },
        ),
        "timm": (
            lambda spec: digest(spec.identity()),
            Timm("resnet18", one),
            {
                "arch": Timm("resnet34", one),
                "weights": Timm("resnet18", two),
                "-layers": Timm("resnet18", one, layer),
                "seed": Timm("resnet18", one, seed=1),
                "checkpoint_key": Timm("resnet18", one, checkpoint_key=""),
                "checkpoint_prefix": Timm("resnet18", one, checkpoint_prefix=""),
                "img_size": Timm("resnet18", one, img_size=96),
            },
        ),
        "custom": (
            lambda spec: digest(spec.identity()),
            Custom("net.Net", weights=one),
            {
                "module": Custom("net.Other", weights=one),
                "kwargs": Custom("net.Net", {"width": 2}, one),
                "weights": Custom("net.Net", weights=two),
                "sees": Custom("net.Net", weights=one, sees=SMALL),
                "-layers": Custom("net.Net", weights=one, layers=layer),
                "seed": Custom("net.Net", weights=one, seed=1),
                "checkpoint_key": Custom("net.Net", weights=one, checkpoint_key=""),
                "checkpoint_prefix": Custom("net.Net", weights=one, checkpoint_prefix=""),
            },
        ),
        "hub": (
            lambda spec: digest(spec.identity()),
            hub,
            {
                "repo": replace(hub, repo=str(folder / "else")),
                "model": replace(hub, model="Other"),
                "weights": replace(hub, weights=two),
                "-layers": replace(hub, layers={"first": "conv"}),
                "sees": replace(hub, sees=SMALL),
                "kwargs": replace(hub, kwargs={"width": 2}),
                "checkpoint_key": replace(hub, checkpoint_key=""),
                "checkpoint_prefix": replace(hub, checkpoint_prefix=""),
            },
        ),
    }


ELSEWHERE = {"source"}
"""Of a hub: the repository's content counts, see tests/backbone/test_origin.py."""
NAMES = ["key", "view", "preprocessing", "extractor", "image", "tiny", "pixels", "torchvision", "timm", "custom", "hub"]


@pytest.mark.parametrize("name", NAMES)
def test_identity_is_total(name, tmp_path, monkeypatch):
    """Each field changed alone changes the key, but those marked -: they say how or where, or only name things.

    A field that is new on a spec fails here until somebody decides which it is.
    """
    monkeypatch.chdir(tmp_path)
    identify, plain, changed = specs(tmp_path)[name]
    assert {field.lstrip("-") for field in changed} == {each.name for each in fields(plain)} - ELSEWHERE
    for field_name, other in changed.items():
        assert (identify(other) == identify(plain)) is field_name.startswith("-"), field_name


def test_no_two_specs_share_a_key(tmp_path, monkeypatch):
    """Of different kinds neither."""
    monkeypatch.chdir(tmp_path)
    keys = [
        identify(spec)
        for identify, plain, changed in specs(tmp_path).values()
        for spec in [plain, *(spec for field_name, spec in changed.items() if not field_name.startswith("-"))]
    ]

    assert len(set(keys)) == len(keys)


def test_bytes_and_pixels_of_an_image_count_and_its_place_does_not(tmp_path):
    """Moved, touched, or in another data set it is the same image."""
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(b"the same")
    first, second = ImageFile(tmp_path / "a.png"), ImageFile(tmp_path / "b.png")

    assert first.digest == second.digest
    assert ImageArray(np.zeros((2, 2, 3), np.uint8)).digest != ImageArray(np.ones((2, 2, 3), np.uint8)).digest
