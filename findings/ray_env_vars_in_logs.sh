#!/usr/bin/env bash
# Ray writes the variables of a runtime environment into its logs, in plain text.
#
# Expected: env_vars, the documented way to give a task a password, reach the task alone, as other arguments do.
# Happens: runtime_env_agent.log holds names and values; arguments of tasks and actors are in no log.
# Matters: logs of clusters are collected, shown on dashboards and attached to issues. offshelf passes the variables
# that jobs need as arguments of its actors.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet ray==2.60.0
export RAY_USAGE_STATS_ENABLED=0 HOME="$folder" RAY_TMPDIR="$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import time
from pathlib import Path

import ray

ray.init(address="local", num_cpus=1, include_dashboard=False, logging_level="error", log_to_driver=False)
print("ray", ray.__version__)


@ray.remote
def use(password=None):
    return 1


ray.get(use.options(runtime_env={"env_vars": {"DB_PASSWORD": "of-the-environment"}}).remote())
ray.get(use.remote("of-the-arguments"))
time.sleep(3)
logs = Path(ray._private.worker._global_node.get_session_dir_path()) / "logs"
found = {
    word: [path.name for path in logs.rglob("*") if path.is_file() and word.encode() in path.read_bytes()]
    for word in ("of-the-environment", "of-the-arguments")
}
print(found)
assert found["of-the-environment"], "it changed"
assert not found["of-the-arguments"], "it changed"
PYTHON
