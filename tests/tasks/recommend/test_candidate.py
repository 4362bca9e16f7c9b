"""What is at hand."""

import pytest
import torch

from offshelf.backbone import Pixels, Timm, Tiny, TorchHub, Torchvision, without_downloads
from offshelf.backbone.download import hub_path
from offshelf.backbone.torchvision_import import import_torchvision
from offshelf.errors import BackboneError, ConfigError
from offshelf.tasks.recommend.candidate import Candidate, at_hand, candidates

import_torchvision()
import torchvision.models  # noqa: E402


@pytest.fixture(autouse=True)
def caches(tmp_path, monkeypatch):
    """Empty ones, and no way to the outside."""

    def refuse(*_, **__):
        raise AssertionError("a download was tried")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.hf_hub_download", refuse)
    monkeypatch.setattr("torch.hub.download_url_to_file", refuse)
    monkeypatch.setattr("torch.hub._get_cache_or_reload", refuse)
    return tmp_path


def test_weights_in_torchvisions_cache_are_found():
    """The published file, of the name that torchvision gives it; each network once."""
    weights = torchvision.models.SqueezeNet1_1_Weights.DEFAULT
    path = hub_path(weights.url)
    path.parent.mkdir(parents=True)
    torch.save(torchvision.models.squeezenet1_1().state_dict(), path)
    own = {"pixels": Pixels(), "mine": Torchvision("squeezenet1_1"), "alexnet": Torchvision("alexnet")}
    with without_downloads():
        here, skipped = at_hand(candidates(own, None))

    assert [one.name for one in here] == ["pixels", "mine"]
    assert [one.name for one in skipped] == ["alexnet"]
    assert "alexnet-owt-7be5be79.pth is not in" in skipped[0].why
    with without_downloads():
        here, _ = at_hand(candidates({"pixels": Pixels()}, None))
    assert [one.name for one in here] == ["pixels", "torchvision/squeezenet1_1"]


def test_weights_in_the_hugging_face_cache_are_found(caches):
    """In the hub's own layout."""
    folder = caches / "hub/models--timm--resnet10t.c3_in1k"
    revision = "0" * 40
    (folder / "snapshots" / revision).mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "refs/main").write_text(revision)
    (folder / "snapshots" / revision / "model.safetensors").write_bytes(b"weights")
    found = candidates({}, None)

    assert [one.name for one in found] == ["timm/resnet10t.c3_in1k"]
    assert found[0].words == ["backbone=timm", "backbone.arch=resnet10t.c3_in1k"]


def test_what_would_be_downloaded_is_skipped():
    """Weights of timm and of a hub; a hub's code."""
    hub = TorchHub("facebookresearch/dinov2", "dinov2_vits14", None, {"norm": "norm"})
    found = [Candidate("timm/resnet18", Timm("resnet18")), Candidate("tiny", Tiny())]
    with without_downloads():
        here, skipped = at_hand(found)
        with pytest.raises(BackboneError, match="its code is not available locally"):
            hub.load()

    assert [one.name for one in here] == ["tiny"]
    assert "is not in the Hugging Face cache" in skipped[0].why


def test_names():
    """Those asked for, once each; unknown ones are answered with the nearest."""
    own = {"pixels": Pixels(), "tiny": Tiny()}

    assert [one.name for one in candidates(own, ["tiny", "pixels", "tiny"])] == ["tiny", "pixels"]
    assert candidates(own, ["timm/resnet18"])[0].backbone == Timm("resnet18")
    with pytest.raises(ConfigError, match="did you mean 'pixels'"):
        candidates(own, ["pixel"])
    with pytest.raises(ConfigError, match="no candidates"):
        candidates(own, [])
