#!/usr/bin/env bash
# When the head of a Ray cluster dies, Ray ends the program that is connected to it: no exception, no finally, no atexit.
#
# Expected: calls of Ray raise (as they do when a node dies), so that the program can write down what it has, and leave.
# Happens: after gcs_rpc_server_reconnect_timeout_s (60 s) compiled code calls exit(1), also in a program that is busy
# with something else. Nothing of Python runs.
# Matters: whatever a program has open stays so: runs of a tracker that are shown as running for ever, locks, files that
# are written halfway. offshelf connects from a process of its own, whose end it notices.
set -euo pipefail
folder=$(mktemp -d)
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet ray==2.60.0
export RAY_USAGE_STATS_ENABLED=0 HOME="$folder" RAY_AUTH_MODE=disabled
"$folder/venv/bin/ray" start --head --port=6397 --num-cpus=1 --include-dashboard=false --temp-dir="$folder/ray" \
  --block > "$folder/log" 2>&1 &
head=$!
trap 'kill "$head" 2> /dev/null || true; wait "$head" 2> /dev/null || true; rm -rf "$folder"' EXIT
until grep -q "Ray runtime started" "$folder/log"; do sleep 0.5; done
code=0
"$folder/venv/bin/python" - "$folder" <<'PYTHON' || code=$?
import atexit
import os
import signal
import sys
import time
from pathlib import Path

import ray

folder = Path(sys.argv[1])
ray.init(address="127.0.0.1:6397", logging_level="error", log_to_driver=False)
print("ray", ray.__version__, flush=True)
atexit.register((folder / "atexit").touch)
for server in Path("/proc").glob("[0-9]*"):
    try:
        command = (server / "cmdline").read_bytes()
    except OSError:
        continue
    if b"gcs_server" in command.split(b"\0")[0] and os.fsencode(folder) in command:
        os.kill(int(server.name), signal.SIGKILL)
try:
    time.sleep(150)  # its own work
finally:
    (folder / "finally").touch()
PYTHON
echo "exit code $code; finally: $(ls "$folder/finally" 2> /dev/null || echo no); atexit: $(ls "$folder/atexit" 2> /dev/null || echo no)"
[[ $code == 1 && ! -e $folder/finally && ! -e $folder/atexit ]] || { echo "it changed"; exit 1; }
