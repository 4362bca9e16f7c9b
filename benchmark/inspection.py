"""An inspection of 50,000 images, given features, held-out probabilities and numbers of pixels; cleanlab beside it.

    python -m venv peer && peer/bin/pip install cleanlab
    python benchmark/inspection.py speed --peer peer/bin/python
    python benchmark/inspection.py labels --peer peer/bin/python

`speed`: all lists, their files and the page, relative to cleanlab's `find_label_issues` plus scikit-learn's search for
the ten nearest neighbours of the same features. `labels`: a tenth of the digits' labels is flipped at random; both get
the same held-out probabilities; precision and recall of what they flag.
"""

import argparse
import json
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
from machine import machine, table

from offshelf.dataset import Fold, ImageArray, ImageSet, Sample
from offshelf.evaluation.held_out import HeldOut
from offshelf.inspection.inspection import Inspection, Similar
from offshelf.inspection.label_errors import LabelErrors
from offshelf.inspection.pixels import SMALL, PixelStatistics
from offshelf.report.html.embedding import embed
from offshelf.report.html.inspection.contents import InspectionContents
from offshelf.report.html.inspection.page import inspection_page
from offshelf.report.inspection_files import write_inspection

PEER = """
import json, resource, sys, time, warnings
import numpy as np
from cleanlab.filter import find_label_issues
from sklearn.neighbors import NearestNeighbors

warnings.filterwarnings("ignore")
def timed(work):
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF).ru_utime
    work()
    return time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_utime - before
if __name__ == "__main__":
    folder = sys.argv[1]
    labels, shares = np.load(f"{folder}/labels.npy"), np.load(f"{folder}/shares.npy")
    if sys.argv[2] == "labels":
        print(json.dumps(np.flatnonzero(find_label_issues(labels, shares, filter_by=sys.argv[3], n_jobs=1)).tolist()))
    else:
        units = np.load(f"{folder}/units.npy")
        search = lambda: NearestNeighbors(n_neighbors=11, algorithm="brute").fit(units).kneighbors(units)
        print(json.dumps([timed(lambda: find_label_issues(labels, shares, n_jobs=1)), timed(search)]))
"""
"""What the peer's Python runs. Neighbours are Euclidean, of vectors of length 1, for which scikit-learn has its fastest
search; with its cosine metric it takes longer."""

RULES = ("prune_by_noise_rate", "confident_learning", "both", "low_normalized_margin")
"""cleanlab's rules, its default first."""


def ask(peer: str, folder: Path, *arguments: str) -> list:
    done = subprocess.run([peer, "-c", PEER, str(folder), *arguments], capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def made_up(count: int, dims: int, classes: int) -> tuple[ImageSet, np.ndarray, np.ndarray, PixelStatistics]:
    """A set with 5 % wrong labels and 1 % copies: images, features, held-out probabilities and numbers of pixels."""
    rng = np.random.default_rng(0)
    targets = rng.permutation(np.arange(count) % classes)
    centres = rng.normal(size=(classes, dims)).astype(np.float32)
    features = 0.6 * centres[targets] + rng.normal(size=(count, dims)).astype(np.float32)
    copies = rng.choice(count, (count // 100, 2), replace=False)
    features[copies[:, 0]] = features[copies[:, 1]] + 0.1 * rng.normal(size=(len(copies), dims)).astype(np.float32)
    labels = np.where(rng.random(count) < 0.05, rng.integers(0, classes, count), targets)
    logits = 6 * (np.arange(classes) == targets[:, None]) + rng.normal(size=(count, classes))
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    small = rng.integers(0, 256, (count, SMALL, SMALL, 3), np.uint8)
    bright, dim, even, sharp = rng.random((4, count))
    pixels = PixelStatistics(np.full(count, 300.0), np.full(count, 300.0), bright, dim / 2, even / 2, sharp, small)
    samples = [Sample(f"image-{row}.jpg", ImageArray(small[row]), int(labels[row])) for row in range(count)]
    rows, names = np.arange(count), tuple(f"class {number}" for number in range(classes))
    return ImageSet("made up", names, samples, (Fold(*np.split(rows, 2)),)), features, shares, pixels


def speed(arguments: argparse.Namespace) -> None:
    """One pass of each."""
    count, classes, dims = arguments.images, arguments.classes, arguments.dims
    images, features, shares, pixels = made_up(count, dims, classes)
    labels, rows = images.targets, np.arange(count)
    steps: dict[str, tuple[float, float]] = {}

    def step(name: str, work):
        start, before = time.perf_counter(), time.process_time()
        result = work()
        steps[name] = time.perf_counter() - start, time.process_time() - before
        return result

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        similar = step("neighbours", lambda: Similar.of(images, features[:, None], pixels, 0.9, "cpu"))
        held_out = HeldOut(rows, shares)
        found = step("lists", lambda: Inspection.of(images, features, similar, held_out, pixels))
        embedding = step("map", lambda: embed(features, "pca"))
        step("files", lambda: write_inspection(folder, found, embedding, {}, []))
        contents = InspectionContents("made up", "given", found, embedding, {}, "accuracy")
        step("page", lambda: (folder / "page.html").write_text(inspection_page(contents, 5e6, 20_000)))
        centred = features - features.mean(axis=0)
        for name, values in (
            ("labels", labels),
            ("shares", shares),
            ("units", centred / np.linalg.norm(centred, axis=1, keepdims=True)),
        ):
            np.save(folder / f"{name}.npy", values)
        theirs = ask(arguments.peer, folder, "speed") if arguments.peer else []
    print(f"{machine()}\n{count:,} images, {dims:,} dimensions, {classes} classes\n")
    whole = tuple(sum(each) for each in zip(*steps.values(), strict=True))
    lines = [[name, f"{wall:.1f}", f"{cpu:.1f}"] for name, (wall, cpu) in {**steps, "all": whole}.items()]
    for name, (wall, cpu) in zip(("cleanlab find_label_issues", "scikit-learn neighbours"), theirs, strict=False):
        lines.append([name, f"{wall:.1f}", f"{cpu:.1f}"])
    table(["", "seconds", "CPU seconds"], lines)
    if theirs:
        beside = [sum(each) for each in zip(*theirs, strict=True)]
        print(f"ratio: {whole[0] / beside[0]:.2f} of the time, {whole[1] / beside[1]:.2f} of the CPU time")
    print(f"flagged {found.labels.count:,} labels, {len(found.copies.groups):,} groups of copies")


def labels(arguments: argparse.Namespace) -> None:
    """Five draws, by two classifiers."""
    from sklearn.datasets import load_digits
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.svm import LinearSVC

    from offshelf.classifier import Calibration

    values, digits = load_digits(return_X_y=True)
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for seed in range(5):
        rng = np.random.default_rng(seed)
        flipped = rng.permutation(len(digits)) < len(digits) // 10
        given = np.where(flipped, (digits + rng.integers(1, 10, len(digits))) % 10, digits)
        folds = StratifiedKFold(5, shuffle=True, random_state=0)
        linear = LinearSVC(C=1, max_iter=20_000)
        scores = cross_val_predict(linear, values / 16, given, cv=folds, method="decision_function")
        logistic = LogisticRegression(max_iter=2000)
        shares = {
            "linear SVM": Calibration.learn(scores, given)(scores),
            "logistic": cross_val_predict(logistic, values / 16, given, cv=folds, method="predict_proba"),
        }
        for kind, each in shares.items():
            flags = {"offshelf": np.flatnonzero(LabelErrors.of(each, given).flagged_N)}
            with tempfile.TemporaryDirectory() as folder:
                np.save(Path(folder) / "labels.npy", given)
                np.save(Path(folder) / "shares.npy", each)
                for rule in RULES if arguments.peer else ():
                    flags[f"cleanlab {rule}"] = np.array(ask(arguments.peer, Path(folder), "labels", rule))
            for name, rows in flags.items():
                right = flipped[rows].sum()
                found.setdefault((kind, name), []).append((right / len(rows), right / flipped.sum()))
    lines = []
    for (kind, name), pairs in found.items():
        precision, recall = np.mean(pairs, axis=0)
        lines.append([kind, name, f"{precision:.3f}", f"{recall:.3f}", f"{2 / (1 / precision + 1 / recall):.3f}"])
    table(["probabilities of", "", "precision", "recall", "F1"], lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["speed", "labels"])
    parser.add_argument("--peer", help="Python of an environment with cleanlab; without it offshelf alone is timed")
    parser.add_argument("--images", type=int, default=50_000)
    parser.add_argument("--dims", type=int, default=1280)
    parser.add_argument("--classes", type=int, default=100)
    arguments = parser.parse_args()
    {"speed": speed, "labels": labels}[arguments.what](arguments)


if __name__ == "__main__":
    main()
