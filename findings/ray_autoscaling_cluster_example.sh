#!/usr/bin/env bash
# Ray's cluster for tests of autoscaling, ray.cluster_utils.AutoscalingCluster, cannot be made from an installed Ray.
#
# Expected: AutoscalingCluster(head_resources, worker_node_types) gives a local cluster that grows and shrinks: the class is in
# the package, and its module names no file that one has to bring.
# Happens: it reads autoscaler/_private/fake_multi_node/example.yaml, which the wheel lacks: FileNotFoundError.
# Matters: who wants to see a program ask for nodes and let go of them writes the config. offshelf's test has one
# (provider fake_multinode), with use_node_id_as_ip, disable_node_updaters and disable_launch_config_check: without these one
# node comes, and it never goes.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet ray==2.60.0
export RAY_USAGE_STATS_ENABLED=0 HOME="$folder" RAY_TMPDIR="$folder"
"$folder/venv/bin/python" - <<'PYTHON'
from pathlib import Path

import ray
from ray.cluster_utils import AutoscalingCluster

print("ray", ray.__version__)
provider = Path(ray.__file__).parent / "autoscaler/_private/fake_multi_node"
print("in the wheel:", sorted(path.name for path in provider.glob("*.*")))
worker = {"resources": {"CPU": 1}, "node_config": {}, "min_workers": 0, "max_workers": 1}
try:
    AutoscalingCluster(head_resources={"CPU": 0}, worker_node_types={"cpu": worker})
except FileNotFoundError as error:
    print(type(error).__name__, Path(error.filename).name)
else:
    raise SystemExit("it changed: the cluster is described without another file")
PYTHON
