"""A layer that is not there is known before a network is built, of the default backbone before torch is imported."""

import subprocess
import sys
import textwrap

import pytest

from offshelf.backbone import EfficientNetLite0, Timm, Tiny, select_layers
from offshelf.errors import BackboneError

ENDS = ("pre_logits", "logits")
"""Names that are no modules' own."""


def chosen(spec, layer):
    return select_layers(layer, spec.layer_names(), spec.name, spec.module_names)


@pytest.mark.parametrize(
    ("spec", "layer"),
    [
        (EfficientNetLite0(), "blocks.9"),
        (EfficientNetLite0(), "conv_steam"),
        (Timm("vit_tiny_patch16_224", weights=None), "blocks.12"),
        (Timm("vit_tiny_patch16_224", weights=None), "blocks.3.attn.qvk"),
        (Tiny(), "0.3"),
    ],
)
def test_a_layer_that_is_not_there(spec, layer):
    """With the nearest name."""
    with pytest.raises(BackboneError, match=f"has no layer '{layer}'; did you mean"):
        chosen(spec, layer)


@pytest.mark.parametrize(
    ("spec", "layer"),
    [
        (EfficientNetLite0(), "blocks.3.1.conv_pw"),
        (EfficientNetLite0(), "logits"),
        (Timm("vit_tiny_patch16_224", weights=None), "blocks.3.attn.qkv"),
        (Timm("tnt_s_legacy_patch16_224", weights=None), "blocks.0:2"),
        (Tiny(), "0.1"),
    ],
)
def test_a_layer_that_is_there(spec, layer):
    assert chosen(spec, layer) == (layer,)


def test_modules_of_the_default_backbone_are_those_of_its_network():
    """What is said without a network is so."""
    paths = {path for path, _ in EfficientNetLite0().load().module.named_modules() if path}
    said = {path for path in EfficientNetLite0().module_names() if not path.endswith(".*")} - {"stem", *ENDS}

    assert said <= paths
    assert {".".join(path.split(".")[: 2 if path.startswith("blocks.") else 1]) for path in paths} == said


def test_the_default_backbone_answers_without_torch():
    """In a process of its own."""
    code = """
        import sys
        from offshelf.backbone import EfficientNetLite0, select_layers
        from offshelf.errors import BackboneError
        spec = EfficientNetLite0()
        try:
            select_layers("blocks.9", spec.layer_names(), spec.name, spec.module_names)
        except BackboneError:
            assert "torch" not in sys.modules and "timm" not in sys.modules
        else:
            sys.exit("taken")
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True)
