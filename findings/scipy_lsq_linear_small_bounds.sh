#!/usr/bin/env bash
# SciPy's lsq_linear reports success far from the solution where the bounds are small, whatever `tol` is.
#
# Expected: the documented `tol` is on the relative change of the cost, so that a problem in other units (goal and bounds
# times a factor) has the same solution times that factor, and the same status.
# Happens: the other test, on the first-order optimality measure, compares an absolute number with `tol`. The measure has the
# square of the units: with bounds of 1e-9 it is below 1e-14 almost at once, and the result, success=True, misses a goal that
# can be reached exactly by a third of its norm. In units of the bounds the same problem is solved to rounding error.
# Matters: dual variables of an SVM lie between 0 and C. Read off a solution by lsq_linear at C = 1e-6 or less, they make a
# converged model look as if it were not.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-cache-dir scipy==1.17.1 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
import scipy
from scipy.optimize import lsq_linear

print("scipy", scipy.__version__, "numpy", np.__version__)
random = np.random.default_rng(0)
matrix, share = random.normal(size=(6, 12)), random.random(12)
missed = {}
for bound in (1.0, 1e-3, 1e-6, 1e-9):
    goal = matrix @ (bound * share)  # which the bounds allow
    for units, unit in (("as given", 1.0), ("in units of the bound", bound)):
        found = lsq_linear(matrix, goal / unit, (0, bound / unit), tol=1e-14)
        missed[bound, units] = np.linalg.norm(matrix @ found.x * unit - goal) / np.linalg.norm(goal)
        print(f"bound {bound:g}, {units}: success={found.success}, relative residual {missed[bound, units]:.1e}")
        assert found.success
assert all(residual < 1e-12 for (_, units), residual in missed.items() if units != "as given")
assert missed[1e-6, "as given"] > 1e-5
assert missed[1e-9, "as given"] > 0.1
PYTHON
