#!/usr/bin/env bash
# torch.load does not read what torch.save wrote, where the name ends in .safetensors.
#
# Expected: torch.load looks at the content, as it does to tell its zip files from the older format.
# Happens: a path that ends in .safetensors is handed to the safetensors library, whatever is in it; an open file is not.
# Matters: trainers write checkpoints with torch.save under the name that their config says. The error speaks of a header
# that is too large, and nothing of the name. offshelf tells the formats apart by content.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 safetensors==0.8.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import torch

print("torch", torch.__version__)
torch.save({"w": torch.ones(2)}, "model.safetensors")
try:
    torch.load("model.safetensors", weights_only=True)
except Exception as error:
    print("by its path:", type(error).__name__, error)
else:
    raise SystemExit("it changed: it is read by its path")
with open("model.safetensors", "rb") as file:
    found = torch.load(file, weights_only=True)
print("as an open file:", found)
assert torch.equal(found["w"], torch.ones(2)), "it changed"
PYTHON
