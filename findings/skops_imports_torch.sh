#!/usr/bin/env bash
# import skops.io imports PyTorch, and pytest, where they are installed.
#
# Expected: the reader of scikit-learn estimators needs scikit-learn.
# Happens: while it is imported, skops asks scikit-learn's all_estimators for the types to trust. That imports every
# module of scikit-learn, among them its testing helpers (pytest) and the array API wrapper of each library (torch).
# Matters: a service that loads a small estimator pays for torch, some seconds and hundreds of MB, in an environment that
# has both. offshelf imports skops only where an estimator that is not its own is written or read.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet skops==0.16.0 scikit-learn==1.9.1 torch==2.13.0 pytest==9.2.0
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import sys
import time

import sklearn.linear_model

print("scikit-learn", sklearn.__version__, "imports torch:", "torch" in sys.modules)
assert not {"torch", "pytest"} & set(sys.modules), "it changed: scikit-learn imports them by itself"
before, start = len(sys.modules), time.process_time()
import skops.io

print("skops", skops.__version__, f"imports {len(sys.modules) - before} modules in {time.process_time() - start:.1f} s")
print("torch:", "torch" in sys.modules, " pytest:", "pytest" in sys.modules)
assert {"torch", "pytest"} <= set(sys.modules), "it changed: they are not imported"
PYTHON
