"""torchvision, beside any torch.

The usual torchvision wheel holds compiled operators that load only into the torch it was built for. Beside a torch
built for the CPU alone they do not, and the import fails at two of them. Models, transforms and data sets need none.
"""

import sys
from typing import Any

_declared: list[Any] = []


def import_torchvision() -> None:
    """Import torchvision, declaring its missing operators first where its compiled ones do not load."""
    try:
        import torchvision
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        _declare_operators()
        import torchvision  # noqa: F401


def _declare_operators() -> None:
    import torch

    library = torch.library.Library("torchvision", "FRAGMENT")
    for operator in ("nms", "qnms"):
        library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _declared.append(library)  # a library's declarations live as long as it does
