"""The geometry that networks were published with: timm's own transforms are the oracle."""

import numpy as np
import pytest
import torch
from PIL import Image

from offshelf.augmentation import View
from offshelf.augmentation.view import FITS
from offshelf.backbone import Timm, Torchvision, what_it_sees
from offshelf.backbone.preprocessing import Letterboxed, Squashed, Upright
from offshelf.identity import digest


def picture(height, width):
    """Smooth, so that a level of rounding in the resizing stays one."""
    rows, columns = np.mgrid[:height, :width]
    waves = [np.sin(rows / 9 + number) + np.cos(columns / (7 + number)) for number in range(3)]
    return (127 + 60 * np.stack(waves, axis=2)).astype(np.uint8)


def by_timm(pixels, arch):
    """What timm's evaluation shows its network, before it is normalised."""
    from offshelf.backbone.torchvision_import import import_torchvision

    import_torchvision()
    import timm
    from timm.data import create_transform
    from timm.data.config import resolve_data_config

    config = resolve_data_config({}, pretrained_cfg=timm.get_pretrained_cfg(arch).to_dict())
    config |= {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)} if config["crop_mode"] != "border" else {}
    values = create_transform(**config)(Image.fromarray(pixels))
    mean, std = (torch.tensor(config[name]).view(3, 1, 1) for name in ("mean", "std"))
    return ((values * std + mean) * 255).round().permute(1, 2, 0).numpy()


@pytest.mark.parametrize(
    ("arch", "kind"),
    [
        ("vit_base_patch16_sapiens2", Squashed),  # 1024 x 768
        ("vit_base_patch16_clip_224.openai", None),
        ("qwen3_vit_88m_enc", Squashed),
        ("deepseek_vit_412m_enc", Letterboxed),
        ("convnext_atto", None),
    ],
)
@pytest.mark.parametrize("shape", [(300, 500), (450, 210)])
def test_as_timm_shows_it(arch, kind, shape):
    """Sizes and borders exactly, values within the levels in which two antialiased resizes differ."""
    sees = Timm(arch, weights=None).preprocessing()
    pixels = picture(*shape)
    ours, theirs = View().apply(pixels, sees).astype(int), by_timm(pixels, arch)

    assert type(sees) is kind if kind else not isinstance(sees, Upright)
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).mean() < 0.5
    assert np.quantile(np.abs(ours - theirs), 0.999) <= 3


def test_it_is_said_and_is_part_of_the_identity():
    """Networks that see the centre square keep theirs."""
    assert "warped to 768 x 1024 pixels" in what_it_sees(Timm("vit_base_patch16_sapiens2", weights=None))
    assert "bars of the mean colour" in what_it_sees(Timm("deepseek_vit_412m_enc", weights=None))
    square = Squashed(resize=224, crop=224, height=224, resize_height=224)
    box = Letterboxed(resize=224, crop=224, height=224, resize_height=224)

    assert len({digest(square), digest(box), digest(Timm("resnet18", weights=None).preprocessing())}) == 3


@pytest.mark.parametrize("fit", FITS)
def test_every_fit_of_a_network_that_sees_no_squares(fit):
    """An array and a tensor, at another scale too."""
    sees = Squashed(resize=24, crop=24, height=32, resize_height=32)
    pixels = picture(60, 90)
    view = View(fit=fit, scale=2)
    seen = view.apply(pixels, sees)

    assert seen.shape == (64, 48, 3)
    assert np.abs(view.apply(torch.from_numpy(pixels), sees).numpy().astype(int) - seen).max() <= 1


def test_bars_have_the_mean_colour():
    """Left and right of a tall image."""
    sees = Letterboxed(resize=40, crop=40, height=40, resize_height=40, mean=(0.2, 0.4, 0.6))
    seen = View().apply(picture(80, 40), sees)

    assert (seen[:, :10] == [51, 102, 153]).all()
    assert (seen[:, 30:] == [51, 102, 153]).all()
    assert not (seen[:, 10] == [51, 102, 153]).all()


def test_a_file_of_the_first_weights_is_seen_as_they_were(tmp_path, monkeypatch):
    """Known by its checksum, whatever its name; the newest weights' resize is another."""
    from torchvision.models import ResNet50_Weights

    file = tmp_path / "mine.pth"
    file.write_bytes(b"weights")
    first, second = ResNet50_Weights.IMAGENET1K_V1, ResNet50_Weights.IMAGENET1K_V2
    assert (
        Torchvision("resnet50", weights=str(file)).preprocessing().resize == second.transforms().resize_size[0] == 232
    )
    checksum = first.url.rpartition("-")[2].removesuffix(".pth")
    monkeypatch.setattr("offshelf.backbone.download.weights_digest", lambda path: checksum + "0" * 56)

    assert Torchvision("resnet50", weights=str(file)).preprocessing().resize == 256
