"""A network works only where its features follow from the image alone, and an engine only where it gives PyTorch's."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from offshelf.augmentation import center, multi_scale
from offshelf.backbone import Tiny
from offshelf.backbone.network import TappedNetwork
from offshelf.dataset import ImageArray
from offshelf.errors import BackboneError
from offshelf.extractor import Extractor, Request, engine, get_or_extract
from offshelf.extractor.proof import require_function
from offshelf.store import MemoryStore

CHANCE, COMPANY = "from pass to pass", "other images are in its batch"


class Functional(nn.Module):
    """A convolution, and a function of its maps."""

    def __init__(self, function, channels=8):
        super().__init__()
        self.conv, self.function, self.calls = nn.Conv2d(3, channels, 3), function, 0

    def forward(self, images):
        """Maps."""
        self.calls += 1
        return self.function(self.conv(images), self.calls)


def deviations(maps, _):
    """GANs' minibatch standard deviation as a further map."""
    spread = (maps - maps.mean(0)).pow(2).mean(0, keepdim=True).sqrt().mean()
    return torch.cat([maps, spread.expand(len(maps), 1, *maps.shape[2:])], 1)


def ghost(maps, _):
    """Normalised over groups of two images."""
    return torch.cat([part - part.mean() for part in maps.split(2)])


REFUSED = {
    "dropout": (lambda maps, _: functional.dropout(maps, 0.5), CHANCE),
    "a little dropout": (lambda maps, _: functional.dropout(maps, 0.02), CHANCE),
    "feature dropout": (lambda maps, _: functional.dropout2d(maps, 0.3), CHANCE),
    "noise": (lambda maps, _: maps + 0.01 * torch.randn_like(maps), CHANCE),
    "random rows": (lambda maps, _: maps * torch.randperm(maps.shape[2])[:, None], CHANCE),
    "a counter": (lambda maps, calls: maps * (1 + calls / 100), CHANCE),
    "NumPy's generator": (lambda maps, _: maps * float(np.random.rand()), CHANCE),
    "batch norm of the batch": (lambda maps, _: functional.batch_norm(maps, None, None, training=True), COMPANY),
    "least of the batch": (lambda maps, _: maps - maps.amin(), COMPANY),
    "largest of the batch": (lambda maps, _: maps / maps.abs().amax(), COMPANY),
    "attention over images": (lambda maps, _: maps + maps.mean(0, keepdim=True), COMPANY),
    "the image before": (lambda maps, _: maps + 0.1 * maps.roll(1, 0), COMPANY),
    "minibatch deviation": (deviations, COMPANY),
    "ghost batch norm": (ghost, COMPANY),
    "the size of the batch": (lambda maps, _: maps * len(maps), COMPANY),
}
TAKEN = {
    "plain": lambda maps, _: maps,
    "instance norm": lambda maps, _: functional.instance_norm(maps),
    "dropout that is off": lambda maps, _: functional.dropout(maps, 0.5, training=False),
    "softmax": lambda maps, _: maps.softmax(1),
    "zero": lambda maps, _: maps * 0,
    "not finite": lambda maps, _: maps / 0,
}


def backbone(function):
    """The small network's frame around a function."""

    class Own(Tiny):
        def load(self):
            torch.manual_seed(0)
            return TappedNetwork(nn.Sequential(Functional(function)), {"block1": "0"}, "own")

    return Own()


def images(count=6, kind="noise"):
    """Pictures; those of digits are black at the border, photographs saturate."""
    random = np.random.default_rng(0)
    if kind == "flat":
        return [ImageArray(np.full((40, 40, 3), 20 * number, np.uint8)) for number in range(count)]
    return [ImageArray(random.integers(0, 256, (40, 40, 3), np.uint8)) for _ in range(count)]


@pytest.mark.parametrize("after", [6, 9, 12])
def test_a_state_that_shows_late(after):
    """After some passes all features are others: nothing of the chunk is kept."""
    function = lambda maps, calls: maps * (1 if calls <= after else 3)  # noqa: E731
    request, store = Request(backbone(function), ("block1",), "avg", center().views), MemoryStore()
    with pytest.raises(BackboneError, match=f"{CHANCE}.*cannot be stored"):
        get_or_extract(store, Extractor(device="cpu", batch_size=2, engine="eager"), images(16), request)
    assert not store._rows


@pytest.mark.parametrize("kind", ["noise", "flat"])
@pytest.mark.parametrize("size", [1, 4])
@pytest.mark.parametrize("name", REFUSED)
def test_features_that_depend_on_more_than_the_image(name, size, kind):
    """Refused before anything is stored, whatever the batch size, and told apart."""
    function, why = REFUSED[name]
    request, store = Request(backbone(function), ("block1",), "avg", center().views), MemoryStore()
    with pytest.raises(BackboneError, match=f"{why}.*cannot be stored"):
        get_or_extract(store, Extractor(device="cpu", batch_size=size, engine="eager"), images(kind=kind), request)
    assert not store._rows


@pytest.mark.parametrize("name", TAKEN)
def test_functions_of_the_image(name):
    """They pass, constants and infinities too."""
    network = Functional(TAKEN[name])
    black = torch.zeros(1, 9, 9, 3, dtype=torch.uint8)
    with torch.no_grad():
        require_function(lambda pixels: {"a": network(pixels.permute(0, 3, 1, 2) / 255.0).flatten(1)}, black, "own")


def test_it_is_asked_once_a_size_and_takes_few_passes():
    """Of a network that works: four images a size beside the batches, and one more at the end of each chunk."""
    seen = []

    def count(maps, _):
        seen.append(len(maps))
        return maps

    request = Request(backbone(count), ("block1",), "avg", multi_scale().views)
    get_or_extract(MemoryStore(), Extractor(device="cpu", batch_size=4, engine="eager"), images(8), request)
    scales = len({view.scale for view in request.views})

    assert seen.count(4) == 8 * len(request.views) // 4
    first = 1  # in which the network learns its course
    assert sum(seen) == first + 8 * len(request.views) + scales * (4 + 1)


def test_filling_does_not_reach_the_numbers():
    """The last batch's are those of the image alone, to the tolerance of other sizes of batch."""
    request = Request(Tiny(), ("block3",), "avg", center().views)
    pictures = images(5)
    alone, full = (
        get_or_extract(MemoryStore(), Extractor(device="cpu", batch_size=size), pictures, request).values["block3"]
        for size in (1, 4)
    )
    assert np.allclose(alone, full, rtol=1e-5, atol=1e-6)


class Pooled(Tiny):
    """Average pooling whose last windows hang over: OpenVINO 2026.4 counts them wrongly."""

    def load(self):
        torch.manual_seed(0)
        pool = nn.AvgPool2d(3, 2, padding=1, ceil_mode=True)
        return TappedNetwork(nn.Sequential(nn.Sequential(pool, nn.Conv2d(3, 8, 1))), {"block1": "0"}, "pooled")


@pytest.mark.slow
def test_bfloat16_does_not_hide_a_wrong_operation(monkeypatch):
    """An engine that is off by a hundredth is refused in float32 first, though bfloat16's own tolerance is 0.2."""
    pytest.importorskip("openvino")
    right = engine._ENGINES["openvino"]

    def wrong(recorded, plan, layers):
        run = right(recorded, plan, layers)
        return lambda pixels: {layer: values * 1.01 for layer, values in run(pixels).items()}

    monkeypatch.setitem(engine._ENGINES, "openvino", wrong)
    request = Request(Tiny(), ("block2",), "auto", center().views)
    with pytest.raises(BackboneError, match=r"differ from PyTorch's by 1\.0e-02 in float32.*engine=eager"):
        get_or_extract(MemoryStore(), Extractor(device="cpu", precision="bfloat16"), images(3), request)


@pytest.mark.slow
@pytest.mark.parametrize("size", [3, pytest.param(1, marks=pytest.mark.soak)])
def test_an_engine_is_proven_on_more_than_a_black_image(size, monkeypatch):
    """What a first image without a signal hides, the faint one shows."""
    pytest.importorskip("openvino")
    right = engine._ENGINES["openvino"]

    def wrong(recorded, plan, layers):
        run = right(recorded, plan, layers)
        return lambda pixels: {name: v + 1e-2 * (pixels > 0).any() for name, v in run(pixels).items()}

    monkeypatch.setitem(engine._ENGINES, "openvino", wrong)
    black = [ImageArray(np.zeros((40, 40, 3), np.uint8))]
    request = Request(Tiny(), ("block2",), "auto", center().views)
    with pytest.raises(BackboneError, match="differ from PyTorch's"):
        get_or_extract(MemoryStore(), Extractor(device="cpu", engine="openvino", batch_size=size), black, request)


@pytest.mark.slow
def test_a_known_fault_of_an_engine_falls_back(monkeypatch, caplog):
    """At a size where windows hang over the numbers are PyTorch's, whichever engine made them."""
    pytest.importorskip("openvino")
    monkeypatch.setattr("offshelf.extractor.plan.WORTH_PREPARING", 1)
    request = Request(Pooled(), ("block1",), "avg", center().views)
    pictures = images(3)
    plain, auto = (
        get_or_extract(MemoryStore(), Extractor(device="cpu", engine=name), pictures, request).values["block1"]
        for name in ("eager", "auto")
    )
    assert np.linalg.norm(auto - plain) <= 1e-4 * np.linalg.norm(plain)
