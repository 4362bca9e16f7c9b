"""The command that runs the winner in full, read back by Hydra."""

import shlex

import pytest

from offshelf.backbone import EfficientNetLite0, Timm, Tiny, Torchvision
from offshelf.config import load
from offshelf.tasks.recommend.candidate import Candidate
from offshelf.tasks.recommend.command import full_command


def read(command):
    """The config that a command line means."""
    program, task, *overrides = shlex.split(command)
    assert (program, task) == ("offshelf", "classify")
    return load(task, overrides)


def test_what_the_recommendation_decides_is_replaced():
    typed = ["dataset=folder", 'dataset.root="/my images"', "budget=1h", "layer=all", "race.first=50", "seed=3"]
    command = full_command(typed, Candidate("efficientnet_lite0", EfficientNetLite0()), "blocks.5")
    config = read(command)

    assert config.dataset.root == "/my images"
    assert config.seed == config.dataset.seed == 3
    assert config.layer == "blocks.5"
    assert config.backbone._target_.endswith("EfficientNetLite0")
    assert "budget" not in command and "race" not in command


@pytest.mark.parametrize(
    ("name", "backbone", "expected"),
    [
        ("timm/resnet10t.c3_in1k", Timm("resnet10t.c3_in1k"), {"arch": "resnet10t.c3_in1k", "weights": "pretrained"}),
        (
            "torchvision/resnet50",
            Torchvision("resnet50", "IMAGENET1K_V1"),
            {"arch": "resnet50", "weights": "IMAGENET1K_V1"},
        ),
    ],
)
def test_from_a_cache(name, backbone, expected):
    config = read(full_command([], Candidate(name, backbone), "layer4"))

    assert {key: config.backbone[key] for key in expected} == expected


def test_ones_own():
    """A backbone that was added, with its settings; those of others are left out."""
    typed = ["+backbone@backbones.mine=tiny", "backbones.mine.seed=5", "backbones.pixels.size=8", "~backbones.vgg16"]
    config = read(full_command(typed, Candidate("mine", Tiny(5)), "block2"))

    assert config.backbone.seed == 5
    assert config.layer == "block2"


def test_it_writes_elsewhere():
    """Hydra's settings, folders among them, were those of the recommendation."""
    typed = ["hydra.run.dir=here", "hydra/job_logging=offshelf", "launcher.jobs=2", "dataset=digits"]
    command = full_command(typed, Candidate("tiny", Tiny()), "block2")

    assert "hydra" not in command and "launcher" not in command
    assert "dataset=digits" in command
