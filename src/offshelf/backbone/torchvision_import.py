"""Import of torchvision with any build of torch.

The usual torchvision wheel holds compiled operators that load only into the torch it was built for. With a CPU-only
build of torch they do not, and the import fails at two of them. Models, transforms and data sets need none.
"""

import sys
from typing import Any

_declared: list[Any] = []


def import_torchvision() -> None:
    """Import torchvision; if its compiled operators do not load, declare the missing ones first."""
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
    _declared.append(library)  # declarations live as long as their library
