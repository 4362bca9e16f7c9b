"""One fit in a fresh process, for `svm.py cold`: prints the seconds of reading the data and of the fit."""

import json
import sys
import time
import warnings

import numpy as np


def main() -> None:
    """Import what a user of either would, and fit."""
    who, loss, path = sys.argv[1:]
    start = time.perf_counter()
    with np.load(path) as data:
        rows, labels = data["rows"], data["labels"]
    load = time.perf_counter() - start
    warnings.simplefilter("ignore")
    if who == "offshelf":
        from offshelf.svm import LinearSVM

        model = LinearSVM(1.0, loss=loss)
    else:
        from sklearn.multiclass import OneVsRestClassifier
        from sklearn.svm import LinearSVC

        model = LinearSVC(C=1.0, loss=loss, random_state=0)
        model = OneVsRestClassifier(model) if labels.ndim == 2 else model
    start = time.perf_counter()
    model.fit(rows, labels)
    print(json.dumps({"load": load, "fit": time.perf_counter() - start}))


if __name__ == "__main__":
    main()
