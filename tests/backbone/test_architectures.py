"""A sample of timm's and torchvision's architectures, the odd families among them, beside their authors' features.

`python tests/architectures.py docs/architectures.csv` compares all of them, at their own sizes.
"""

import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent.parent))
from architectures import compare

SAMPLE = {
    "resnet10t": 64,
    "seresnet18": 64,
    "densenet121": 64,
    "repvgg_a0": 64,
    "efficientnet_lite0": 64,
    "mobilenetv3_small_050": 64,
    "mobilenetv4_conv_small": 64,
    "ghostnet_050": 64,
    "lcnet_035": 64,
    "regnetx_002": 64,
    "rexnet_100": 64,
    "hrnet_w18_small": 64,
    "dla46_c": 64,
    "convnext_atto": 64,
    "inception_next_atto": 64,
    "mambaout_femto": 64,
    "starnet_s1": 64,
    "repvit_m0_9": 64,
    "fasternet_t0": 64,
    "nf_regnet_b0": 64,
    "poolformerv2_s12": 64,
    "efficientformer_l1": None,
    "efficientformerv2_s0": 128,
    "efficientvit_b0": 64,
    "efficientvit_m0": None,
    "efficientvim_m1": None,
    "edgenext_xx_small": 64,
    "mobilevit_xxs": 64,
    "mobilevitv2_050": 64,
    "fastvit_t8": 64,
    "shvit_s1": 64,
    "swiftformer_xs": 64,
    "levit_128s": None,
    "pit_ti_distilled_224": None,
    "crossvit_tiny_240": None,
    "coat_lite_tiny": None,
    "convit_tiny": None,
    "cait_xxs24_224": None,
    "tnt_s_legacy_patch16_224": None,
    "twins_svt_small": None,
    "xcit_nano_12_p16_224": 64,
    "pvt_v2_b0": 64,
    "visformer_tiny": None,
    "mixer_s32_224": 64,
    "resmlp_12_224": 64,
    "gmixer_12_224": 64,
    "gmlp_s16_224": 64,
    "vit_tiny_patch16_224": 64,
    "deit_tiny_distilled_patch16_224": 64,
    "eva02_tiny_patch14_224": 56,
    "swin_tiny_patch4_window7_224": 112,
    "swinv2_cr_tiny_ns_224": None,
    "hiera_tiny_224": 64,
    "mvitv2_tiny": 64,
    "maxvit_rmlp_pico_rw_256": 64,
    "coatnet_nano_rw_224": 64,
}
TORCHVISION = ("googlenet", "squeezenet1_1", "shufflenet_v2_x0_5", "mnasnet0_5")
EACH_RUN = {
    *("efficientvim_m1", "crossvit_tiny_240", "pit_ti_distilled_224", "levit_128s", "densenet121"),
    *("vit_tiny_patch16_224", "mixer_s32_224", "convnext_atto", "googlenet"),
}
"""Those with unusual heads and layouts, and one of each common kind; the others are too long for every run."""
EQUAL = 1e-5
"""Sums in another order."""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("library", "arch", "side"),
    [
        pytest.param(library, arch, side, marks=() if arch in EACH_RUN else pytest.mark.soak)
        for library, sample in (("timm", SAMPLE), ("torchvision", dict.fromkeys(TORCHVISION)))
        for arch, side in sample.items()
    ],
)
def test_features_are_the_authors(library, arch, side):
    """Last layer and stages; and every layer that is listed can be extracted."""
    row, network = compare(library, arch, side)
    size = tuple(map(int, row.input.split("x")))
    listed = [info.name for info in network.listing(size)]
    values = network.features(torch.rand(2, 3, *size), listed, "auto")

    assert row.last <= EQUAL
    assert row.layer_error == "" or row.layer_error <= EQUAL
    assert all(values[layer].ndim == 2 for layer in listed)
