#!/usr/bin/env bash
# What openvino.convert_model leaves of the root logger where it cannot convert a network.
#
# Expected: an exception, and logging as it was before the call.
# Happens: the call sets the root logger's level to ERROR and adds a filter. It restores both after a conversion that
# succeeds, and not after one that fails: from then on every warning and note of the whole process is dropped.
# Matters: a program that catches the exception and says so with logging.warning says nothing, and neither does anything
# that comes after it. offshelf falls back to PyTorch there; it restores the root logger itself.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-cache-dir torch==2.13.0 openvino==2026.4.1 packaging==26.4
"$folder/venv/bin/python" - <<'PYTHON'
import logging
import sys

sys.modules["openvino_telemetry"] = None  # no usage statistics
import openvino
import torch

print("torch", torch.__version__, "openvino", openvino.__version__)
root = logging.getLogger()
root.addHandler(logging.StreamHandler(sys.stdout))


class Smooth(torch.nn.Module):
    def forward(self, images):
        return torch.nn.functional.interpolate(images, size=(7, 7), mode="bicubic", antialias=True)


def converted(network):
    root.setLevel(logging.INFO)
    root.filters.clear()
    program = torch.export.export(network.eval(), (torch.zeros(1, 3, 32, 32),), strict=False)
    try:
        openvino.convert_model(program)
        outcome = "converted"
    except Exception as error:
        outcome = f"not converted ({type(error).__name__}: {str(error).splitlines()[0]:.90})"
    print(outcome, "- root logger:", logging.getLevelName(root.level), "filters:", len(root.filters))
    logging.warning("a warning of the program")
    return root.level, len(root.filters)


assert converted(torch.nn.ReLU()) == (logging.INFO, 0), "it changed after a conversion that succeeds"
assert converted(Smooth()) == (logging.ERROR, 1), "it changed: a failed conversion leaves logging alone, or succeeds"
PYTHON
