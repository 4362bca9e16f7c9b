#!/usr/bin/env bash
# What create_feature_extractor returns for densenet121's features.norm5 depends on which other nodes are asked.
#
# Expected: a node's values are those that it computes, whichever nodes are asked with it.
# Happens: the network goes on with F.relu(…, inplace=True) on that same tensor. Asked alone, the graph ends at norm5 and
# half of its values are below 0. Asked together with a later node, the ReLU has run: all values are 0 or more.
# Matters: features of a layer that are compared with those of others are not those of the layer asked alone, without a
# word. offshelf copies values in a hook, before what comes next can change them.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-cache-dir torch==2.14.1 torchvision==0.29.1
"$folder/venv/bin/python" - <<'PYTHON'
import torch
import torchvision
from torchvision.models import densenet121
from torchvision.models.feature_extraction import create_feature_extractor

print("torch", torch.__version__, "torchvision", torchvision.__version__)
torch.manual_seed(0)
network = densenet121(weights=None).eval()
image = torch.randn(1, 3, 64, 64)


def norm5(*others):
    extractor = create_feature_extractor(network, ["features.norm5", *others])
    with torch.inference_mode():
        return extractor(image)["features.norm5"]


alone, together = norm5(), norm5("classifier")
print("asked alone: least value", alone.min().item())
print("asked with classifier: least value", together.min().item())
assert alone.min() < 0, "it changed: the ReLU has run although nothing after it was asked"
assert together.min() == 0, "it changed: the values are those before the ReLU"
assert torch.equal(together, alone.relu())
PYTHON
