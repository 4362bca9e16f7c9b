"""Extraction: only what is missing, the same numbers however it is run."""

import os
import sys
import threading

import numpy as np
import pytest
import torch

from offshelf.augmentation import (
    View,
    Views,
    five_crop,
    jitter8,
    jitter16,
    mirror,
    multi_scale,
    square,
    ten_crop,
    whole,
)
from offshelf.backbone import Pixels, Tiny
from offshelf.backbone.network import TappedNetwork
from offshelf.dataset import ImageArray
from offshelf.errors import BackboneError, ConfigError
from offshelf.extractor import Extractor, Request, extract_missing, get_or_extract
from offshelf.extractor.chunks import Chunk
from offshelf.extractor.stream import Stream
from offshelf.memo import Memo, sharing
from offshelf.store import Claim, DiskStore, MemoryStore

VIEWS = mirror().views


def pictures(count, seed=0):
    """Small random images of varied sizes."""
    random = np.random.default_rng(seed)
    return [ImageArray(random.integers(0, 256, (30 + number % 7, 40, 3), dtype=np.uint8)) for number in range(count)]


def request(**changes):
    """All layers of the tiny backbone through two views."""
    backbone = Tiny()
    return Request(
        **{"backbone": backbone, "layers": backbone.layer_names(), "pooling": "auto", "views": VIEWS, **changes}
    )


def test_shapes_and_order(tmp_path):
    """[N, V, D] by layer; the mirrored view differs; rows follow the images."""
    images = pictures(5)
    features = get_or_extract(DiskStore(tmp_path), Extractor(), images, request())
    backwards = get_or_extract(DiskStore(tmp_path), Extractor(), images[::-1], request())

    assert features.cost.extracted == 5
    assert backwards.cost.extracted == 0
    for layer, values in features.values.items():
        assert values.shape[:2] == (5, 2)
        assert not np.allclose(values[:, 0], values[:, 1])
        assert (values[::-1] == backwards.values[layer]).all()


def test_only_missing_images_are_extracted(tmp_path):
    """Ten more images cost ten passes; repeats of an image cost one."""
    images = pictures(12)
    get_or_extract(DiskStore(tmp_path), Extractor(), images[:8], request())
    features = get_or_extract(DiskStore(tmp_path), Extractor(), [*images, images[0]], request())

    assert features.cost.extracted == 4


def test_jobs_that_share_read_once():
    """The same images and keys: the cost is the first's; all else is read for itself."""
    images, memo = pictures(4), Memo()
    with sharing(memo):
        first, second = (get_or_extract(MemoryStore(), Extractor(), images, request()) for _ in range(2))
        other = get_or_extract(MemoryStore(), Extractor(), images[1:], request())

    assert [one.cost.extracted for one in (first, second, other)] == [4, 0, 3]
    assert second.digest == first.digest != other.digest
    for layer, values in first.values.items():
        assert second.values[layer] is values
        assert (other.values[layer] == values[1:]).all()


@pytest.mark.parametrize("other", [whole, five_crop, ten_crop, jitter8])
def test_a_view_is_stored_once(tmp_path, other):
    """What the sixteen views hold is there for every other list that holds it; what they do not is extracted."""
    images = pictures(3)
    get_or_extract(DiskStore(tmp_path), Extractor(), images, request(views=jitter16().views))

    assert get_or_extract(DiskStore(tmp_path), Extractor(), images, request(views=other().views)).cost.extracted == 0
    assert get_or_extract(DiskStore(tmp_path), Extractor(), images, request(views=square().views)).cost.extracted == 3


def test_warm_run_builds_no_network(tmp_path, monkeypatch):
    """Everything is in the store: the backbone is never loaded."""
    images = pictures(3)
    cold = get_or_extract(DiskStore(tmp_path), Extractor(), images, request())
    monkeypatch.setattr(Tiny, "load", lambda self: pytest.fail("a network was built"))
    warm = get_or_extract(DiskStore(tmp_path), Extractor(), images, request())

    assert warm.digest == cold.digest
    assert all((warm.values[layer] == cold.values[layer]).all() for layer in cold.values)


@pytest.mark.parametrize("settings", [{"batch_size": 1}, {"workers": 2}, {"chunk": 3}, {"batch_size": 64}])
def test_how_it_runs_is_not_what_is_computed(settings):
    """Batch size, workers and chunks keep the key, and the numbers within 1e-5 of the largest."""
    images = pictures(9)
    plain = get_or_extract(MemoryStore(), Extractor(), images, request())
    other = get_or_extract(MemoryStore(), Extractor(**settings), images, request())

    assert plain.digest == other.digest
    for layer, values in plain.values.items():
        assert np.abs(values - other.values[layer]).max() <= 1e-5 * np.abs(values).max()


@pytest.mark.slow
def test_two_processes_share_the_work(tmp_path):
    """Two processes leave the features one process leaves."""
    images = pictures(9)
    plain = get_or_extract(MemoryStore(), Extractor(), images, request())
    shared = get_or_extract(DiskStore(tmp_path), Extractor(processes=2, device="cpu"), images, request())

    assert shared.cost.extracted == 9
    for layer, values in plain.values.items():
        assert np.abs(values - shared.values[layer]).max() <= 1e-5 * np.abs(values).max()


def test_batches_are_the_same_wherever_views_are_made():
    """The path of a GPU, taken on the CPU, where it has another name."""
    images = pictures(7)
    chunk = Chunk(np.arange(7), Claim())
    here, there = (
        list(Stream([chunk], images, jitter16().views, Tiny().preprocessing(), 16, threads=2, device=device))
        for device in ("cpu", "cpu:0")
    )

    assert len(here) == len(there) == 7
    for one, other in zip(here, there, strict=True):
        assert torch.equal(one.pixels, other.pixels)
        assert (one.rows == other.rows).all()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere threads have no priority of their own")
def test_decoding_gives_way_to_the_network():
    """Its threads do, and nothing else."""
    seen = []

    class Watched(ImageArray):
        def load(self):
            seen.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
            return super().load()

    mine = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    extract_missing(MemoryStore(), Extractor(device="cpu"), [Watched(image.pixels) for image in pictures(3)], request())

    assert seen == [min(mine + 10, 19)] * 3
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == mine


def test_precision_is_identity():
    """Lower precision is another feature."""
    digests = {
        Extractor(precision=precision).key(Tiny(), "block3", "avg", View()).digest
        for precision in ("float32", "bfloat16")
    }

    assert len(digests) == 2


def test_bad_settings():
    """Settings are checked before any work."""
    for bad in ({"batch_size": 0}, {"precision": "int8"}, {"device": "tpu"}, {"workers": 0}):
        with pytest.raises(ConfigError, match=f"extractor.{next(iter(bad))}"):
            Extractor(**bad)


def test_views_share_what_they_have_in_common(tmp_path):
    """The plain view of another augmentation is found, and only the new view is extracted."""
    images = pictures(2)
    get_or_extract(DiskStore(tmp_path), Extractor(), images, request(views=Views([View()]).views))

    assert get_or_extract(DiskStore(tmp_path), Extractor(), images, request(views=(View(),))).cost.extracted == 0
    assert get_or_extract(DiskStore(tmp_path), Extractor(), images, request()).cost.extracted == 2


@pytest.mark.parametrize("batch_size", [1, 4, 64])
def test_views_at_several_scales(batch_size):
    """Each as the network itself answers to its square; views of one scale share a batch with no other."""
    images = pictures(5)
    views = multi_scale(fit="center").views + mirror().views[1:]
    features = get_or_extract(MemoryStore(), Extractor(batch_size=batch_size), images, request(views=views))
    network, preprocessing = Tiny().load(), Tiny().preprocessing()
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (preprocessing.mean, preprocessing.std))

    for number, view in enumerate(views):
        for row, image in enumerate(images):
            seen = torch.tensor(view.apply(image.load(), preprocessing).copy()).permute(2, 0, 1)
            expected = network.features((seen / 255 - mean)[None] / std, Tiny().layer_names(), "auto")
            for layer, values in features.values.items():
                assert values[row, number] == pytest.approx(expected[layer][0].numpy(), rel=1e-4, abs=1e-5)


def test_pixels_at_several_scales():
    """Vectors of one length, so that a baseline stands beside every augmentation."""
    asked = Request(Pixels(8), ("pixels",), "auto", multi_scale().views)
    assert get_or_extract(MemoryStore(), Extractor(), pictures(2), asked).values["pixels"].shape == (2, 3, 192)


class OneSize(Tiny):
    """Sees 32 x 32 pixels, as most transformers see one size."""

    def load(self):
        """A layer of 3 x 32 x 32 inputs."""
        return TappedNetwork(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3072, 4)), {"block1": "1"}, "one")


def test_network_of_one_size():
    """One sentence names the size, and the way out."""
    asked = request(backbone=OneSize(), layers=("block1",), views=multi_scale().views)
    with pytest.raises(BackboneError, match=r"tiny cannot see squares of 45 pixels: .*leave their scale out"):
        get_or_extract(MemoryStore(), Extractor(), pictures(1), asked)
