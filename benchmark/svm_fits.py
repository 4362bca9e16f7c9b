"""Single fits, warm and cold."""

import json
import subprocess
import sys
import tempfile
import time
import warnings
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from machine import interleaved, table
from sklearn.exceptions import ConvergenceWarning
from sklearn.multiclass import OneVsRestClassifier
from sklearn.svm import LinearSVC
from svm_grid import digit_features
from svm_peers import MAX_ITER
from synthetic import multi_label

from offshelf.svm import LinearSVM

LOSSES = ("hinge", "squared_hinge")


def cases() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Features float32 and labels, by name."""
    rows, labels = multi_label(5011, 4096)
    found = {
        "VOC's size, 20 classes": (rows, labels.astype(int)),
        "VOC's size, 1 class": (rows, labels[:, 0].astype(int)),
    }
    for layer, (values, targets) in digit_features(("blocks.5", "pre_logits")).items():
        shape = f"{len(values):,} x {values.shape[1]:,}"
        found[f"digits, {layer}, {shape}, 10 classes"] = values, targets
        found[f"digits, {layer}, {shape}, 1 class"] = values, (targets == 8).astype(int)
    return found


def single(options: Namespace) -> None:
    """The estimators as a user calls them, at C = 1; LinearSVC is given float64, which it would convert to."""
    out = []
    for name, (rows, labels) in cases().items():
        doubles = rows.astype(np.float64)
        for loss in LOSSES:
            works: dict[str, Callable[[], object]] = {"ours": lambda: LinearSVM(1.0, loss=loss).fit(rows, labels)}
            for dual in (True, False)[: 1 + (loss != "hinge")]:
                works["dual" if dual else "primal"] = lambda dual=dual: theirs(labels, loss, dual).fit(doubles, labels)
            interleaved({"ours": works["ours"]}, 1)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                times = interleaved(works, options.rounds)
            faster = min(("dual", "primal"), key=lambda which: times.get(which, np.inf))
            cells = [
                f"{times['ours']:.3f} s",
                f"{times[faster]:.3f} s, {faster}",
                f"{times[faster] / times['ours']:.2f}",
            ]
            out.append([name, loss, *cells])
            print(" | ".join(out[-1]), file=sys.stderr, flush=True)
    print("One fit at C = 1, warm\n")
    table(["data", "loss", "offshelf", "LinearSVC", "ratio"], out)


def theirs(labels: np.ndarray, loss: str, dual: bool = True) -> Any:
    """LinearSVC; for several labels one after the other."""
    one = LinearSVC(C=1.0, loss=loss, dual=dual, tol=1e-4, max_iter=MAX_ITER, random_state=0)
    return OneVsRestClassifier(one) if labels.ndim == 2 else one


def cold(options: Namespace) -> None:
    """Each fit in a process of its own: the fit, and the process with its imports."""
    out = []
    with tempfile.TemporaryDirectory() as folder:
        for name, (rows, labels) in cases().items():
            path = Path(folder) / "data.npz"
            np.savez(path, rows=rows, labels=labels)
            for loss in LOSSES:
                times = [
                    {who: _first(who, loss, path, options.threads) for who in ("offshelf", "LinearSVC")}
                    for _ in range(options.rounds)
                ]
                medians = {
                    (who, what): float(np.median([each[who][what] for each in times]))
                    for who in ("offshelf", "LinearSVC")
                    for what in ("fit", "process")
                }
                cells = []
                for what in ("fit", "process"):
                    ours, peer = medians["offshelf", what], medians["LinearSVC", what]
                    cells += [f"{ours:.2f} s", f"{peer:.2f} s", f"{peer / ours:.2f}"]
                out.append([name, loss, *cells])
                print(" | ".join(out[-1]), file=sys.stderr, flush=True)
    print("The first fit of a process, at C = 1\n")
    table(["data", "loss", "offshelf, fit", "LinearSVC", "ratio", "offshelf, with imports", "LinearSVC", "ratio"], out)


def _first(who: str, loss: str, path: Path, threads: int) -> dict[str, float]:
    command = [sys.executable, str(Path(__file__).with_name("svm_cold.py")), who, loss, str(path)]
    start = time.perf_counter()
    # The threads are those of this process: variables and cores are inherited.
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    whole = time.perf_counter() - start
    found = json.loads(done.stdout.splitlines()[-1])
    return {"fit": found["fit"], "process": whole - found["load"]}
