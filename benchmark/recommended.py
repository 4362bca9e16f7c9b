"""Whether `offshelf recommend` finds what runs in full find, and how much sooner.

    python benchmark/recommended.py ROOT [ROOT …]      # folders of images, one folder a class

For each folder the race is run first, then every layer of every candidate in full, each in a home of its own and as a
user starts them, so that the seconds include imports and extraction. The choice is then compared with the layer that is
best on the test images, which nobody knows beforehand: part of the difference is luck.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from machine import machine, table

import offshelf

CANDIDATES = ["efficientnet_lite0", "tiny", "pixels"]
COMMON = ["classifier=linear_svm_ovr", "tracking=none", "dataset=folder"]


def seconds_of(*words: str) -> float:
    """Run a command. Return its seconds."""
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-m", "offshelf", *words], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begin


def race(folder: Path, words: list[str], budget: str) -> tuple[tuple[str, str], float]:
    """Return backbone and layer of the choice, and the seconds of the race."""
    candidates = [f"candidates=[{','.join(CANDIDATES)}]", "+backbone@backbones.tiny=tiny"]
    words = [*words, *candidates, f"budget={budget}", f"home={folder}/raced", f"hydra.run.dir={folder}/race"]
    spent = seconds_of("recommend", *words)
    with (folder / "race/recommendation.csv").open(encoding="utf-8") as file:
        first = next(csv.DictReader(file))
    return (first["backbone"], first["layer"]), spent


def in_full(folder: Path, words: list[str]) -> tuple[dict[tuple[str, str], float], float]:
    """Return the test accuracy of every layer, and the seconds of all runs."""
    accuracy, spent = {}, 0.0
    for name in CANDIDATES:
        chosen = [f"backbone={name}", "layer=all", "baseline=null", f"hydra.run.dir={folder}/{name}"]
        spent += seconds_of("classify", *words, *chosen, f"home={folder}/full")
        metrics = json.loads((folder / name / "metrics.json").read_text(encoding="utf-8"))
        layers = {key.removeprefix("test/accuracy/") for key in metrics if key.startswith("test/accuracy/")}
        accuracy |= {(name, layer): metrics[f"test/accuracy/{layer}"] for layer in layers}
        if not layers:  # one layer
            accuracy[name, name] = metrics["test/accuracy"]
    return accuracy, spent


def difference(folder: Path, root: str, best: tuple[str, str], chosen: tuple[str, str]) -> str:
    """Return by how many points the choice is behind the best, with the paired interval of the test images."""
    if best == chosen:
        return "0"
    settings = {"classifier": "linear_svm_ovr", "store": f"{folder}/full/store", "baseline": None}
    runs = [offshelf.classify(root, backbone=name, layer=layer, **settings) for name, layer in (best, chosen)]
    gap = offshelf.compare(runs).iloc[-1]
    low, high = gap["difference_low"], gap["difference_high"]
    return f"{100 * gap['difference']:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"


def main() -> None:
    """Measure all folders, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("roots", nargs="+", metavar="ROOT")
    parser.add_argument("--budget", default="10min")
    options = parser.parse_args()
    print(machine(), "; load", " ".join(f"{load:.1f}" for load in os.getloadavg()), "\n")
    rows = []
    for root in options.roots:
        with tempfile.TemporaryDirectory() as place:
            folder, words = Path(place), [*COMMON, f"dataset.root={root}"]
            chosen, raced = race(folder, words, options.budget)
            accuracy, spent = in_full(folder, words)
            best = max(accuracy, key=lambda one: accuracy[one])
            behind = difference(folder, root, best, chosen)
        found = [" ".join(one) + f" {100 * accuracy[one]:.1f}" for one in (chosen, best)]
        rows.append([Path(root).name, *found, behind, f"{raced:.0f} s", f"{spent:.0f} s", f"{raced / spent:.2f}"])
    table(["images", "choice, %", "best, %", "points behind", "race", "all in full", "time"], rows)


if __name__ == "__main__":
    main()
