"""Signals in the midst of long fits, and the progress that fits report, by each method of the solver."""

import os
import signal
import subprocess
import sys
import textwrap
from typing import get_args

import pytest

from offshelf.svm import native
from offshelf.svm.solver.dispatch import Method

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not native.is_available(), reason="offshelf was installed without a C compiler"),
]
SHAPES = {
    "ovo": (2400, 20, 3),
    "dual": (5000, 300, 4),
    "binary": (60_000, 60, 30),
    "primal": (20_000, 400, 20),
}
"""Rows, dimensions and classes of fits that take more than ten seconds on an idle core."""
CODE = """
    import json, os, signal, sys, time
    import numpy as np, torch
    import offshelf.svm.solver.path_primal
    from offshelf.process.signals import on_signals
    from offshelf.svm.monitor import Monitor
    from offshelf.svm.solver import OneVsOneSigns, Problems, dispatch, solve

    signalled = []

    def watch(number):
        handler = signal.getsignal(number)

        def handle(*given):
            signalled.append(time.process_time())
            handler(*given)

        signal.signal(number, handle)

    def fit(method, rows, dims, classes):
        random = np.random.default_rng(0)
        targets = random.integers(0, max(classes, 2), rows)
        X = (random.normal(size=(rows, dims)) + 0.3 * random.normal(size=(max(classes, 2), dims))[targets]).astype("f4")
        first, second = np.triu_indices(classes, 1)
        pairs = OneVsOneSigns(targets, first, second)
        signs = np.where(targets[:, None] == np.arange(classes), 1, -1).astype(np.int8)
        members = np.ones((rows, 2), bool)
        members[::5, 0] = False
        problems = Problems(pairs if method == "ovo" else signs, members, np.ones((rows, 1)), "hinge", "penalised")
        dispatch.choose_method = lambda shape: method
        start, begun = time.process_time(), []

        def tick():
            if not begun and monitor.method == method and time.process_time() - start > 1:
                begun.append(print("begun", os.getpid(), flush=True))

        monitor = Monitor(tick)
        try:
            for _ in solve(X, problems, [10.0 ** power for power in range(-2, 7)], 1e-9, "cpu", monitor):
                pass
            print("finished", 0, 0, 0, flush=True)
        except BaseException as error:
            spent = time.process_time() - signalled[0]
            print(type(error).__name__, f"{spent:.2f}", monitor.solved, monitor.total, flush=True)
            raise

    for method, number, *shape in json.loads(sys.argv[1]):
        child = os.fork()
        if not child:
            on_signals()
            watch(number)
            fit(method, *shape)
            sys.exit()
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
CASES = [(method, signal.SIGINT) for method in get_args(Method)] + [("ovo", signal.SIGTERM), ("primal", signal.SIGTERM)]


def test_signals():
    """A fit ends within a second of CPU time, and its process with the code of the signal."""
    import json

    given = json.dumps([(method, number, *SHAPES[method]) for method, number in CASES])
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-c", textwrap.dedent(CODE), given]
    found = {}
    with subprocess.Popen(command, stdout=-1, stderr=subprocess.DEVNULL, text=True, env=environment) as process:
        for method, number in CASES:
            word, child = process.stdout.readline().split()
            assert word == "begun", f"{method} is over too soon"
            os.kill(int(child), number)
            left, spent, solved, total = process.stdout.readline().split()
            found[method, number] = left, float(spent), int(process.stdout.readline())
            assert 0 <= int(solved) < int(total)

    for (method, number), (left, spent, code) in found.items():
        # Python forgets the signal, and exits with 1, if a worker that it waits for calls `exec` meanwhile.
        left_by, codes = ("KeyboardInterrupt", (-number, 1)) if number == signal.SIGINT else ("SystemExit", (143,))
        assert left == left_by, method
        assert code in codes, method
        assert spent < 2, f"{method} went on for {spent} s"
