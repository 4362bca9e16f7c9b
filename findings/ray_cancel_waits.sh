#!/usr/bin/env bash
# ray.cancel does not interrupt a task that sleeps or waits: it ends when the call comes back by itself.
#
# Expected: KeyboardInterrupt in the task, as the documentation has it, and as Ctrl-C does to time.sleep in any program.
# Happens: it is raised between bytecodes alone. A task in time.sleep(12) is cancelled after the whole 12 seconds.
# Matters: the same holds for a lock, a socket, a child process or a long call of compiled code: who waits for the
# cancelled task waits as long. offshelf runs a job in a child of the actor, which gets a signal.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet ray==2.60.0
export RAY_USAGE_STATS_ENABLED=0 HOME="$folder" RAY_TMPDIR="$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import time

import ray
from ray.exceptions import RayError

ray.init(address="local", num_cpus=1, include_dashboard=False, logging_level="error", log_to_driver=False)
print("ray", ray.__version__)


@ray.remote(max_retries=0)
def nap(seconds, times):
    for _ in range(times):
        time.sleep(seconds)


ray.get(nap.remote(0, 1))


def seconds_to_cancel(*arguments):
    running = nap.remote(*arguments)
    time.sleep(2)
    start = time.monotonic()
    ray.cancel(running)
    try:
        ray.get(running)
    except RayError:
        return time.monotonic() - start
    raise AssertionError("it was not cancelled")


short, long = seconds_to_cancel(0.1, 120), seconds_to_cancel(12, 1)
print(f"120 naps of 0.1 s: cancelled after {short:.1f} s; one nap of 12 s: after {long:.1f} s")
assert short < 3, "it changed"
assert long > 8, "it changed"
PYTHON
