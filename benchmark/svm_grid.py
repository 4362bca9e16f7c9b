"""All classes, all Cs, all folds: one solve against the time of as many fits, estimated on an even sample of them."""

import sys
import time
from argparse import Namespace

import numpy as np
from machine import table
from sklearn.metrics import average_precision_score
from sklearn.model_selection import KFold, StratifiedKFold
from svm_peers import Found, Grid, Peer, certify, every_decision, liblinear, libsvm, objective, recorded
from synthetic import multi_label, single_label
from synthetic import views as near_duplicates

from offshelf.svm import LinearSVM
from offshelf.svm.solver import Problems, solve

CS = tuple(0.01 * 3.6**step for step in range(10))
TOL = 1e-4
FOLDS = 5
CLOSE = (1e-6, 10_000)
"""Tolerance and most iterations of the fits that average precisions are compared with."""


def grid(rows_RD: np.ndarray, labels: np.ndarray, loss: str, folds: int = FOLDS, Cs: tuple[float, ...] = CS) -> Grid:
    """One-vs-rest problems of class numbers [R] or an indicator matrix [R, K]."""
    several = labels.ndim == 2
    positive = labels if several else labels[:, None] == np.unique(labels)
    members = np.ones((len(labels), folds + 1), bool)
    if folds:
        splits = (KFold if several else StratifiedKFold)(folds, shuffle=True, random_state=0).split(rows_RD, labels)
        for fold, (_, test) in enumerate(splits):
            members[test, fold] = False
    signs = np.where(positive, 1, -1).astype(np.int8)
    return Grid(rows_RD, Problems(signs, members, np.ones((len(labels), 1)), loss), Cs)


def voc(options: Namespace) -> None:
    """20 classes, of several labels an image."""
    rows, labels = multi_label(5011, 4096)
    print(f"VOC's size, 5,011 x 4,096, {options.loss}\n")
    compare(grid(rows, labels[:, : options.classes], options.loss), options, options.fits or 40)


def cub(options: Namespace) -> None:
    """200 classes of 30 images."""
    rows, targets = single_label(5994, 4096, 200)
    print(f"CUB's size, 5,994 x 4,096, {options.loss}\n")
    labels = targets[:, None] == np.arange(options.classes or 200)
    compare(grid(rows, labels, options.loss), options, options.fits or 40)


def digits(options: Namespace) -> None:
    """Ten classes of real features."""
    for layer, (rows, targets) in digit_features(("blocks.5", "pre_logits")).items():
        print(f"Digits, {layer}, {rows.shape[0]:,} x {rows.shape[1]:,}, {options.loss}\n")
        compare(grid(rows, targets, options.loss), options, options.fits or 120)


def views(options: Namespace) -> None:
    """80,176 rows; the Gram matrix would take 26 GB."""
    rows, labels = multi_label(5011, 4096)
    rows, labels = near_duplicates(rows, 16), np.repeat(labels, 16, axis=0)
    print(f"VOC's size x 16 views, {rows.shape[0]:,} x {rows.shape[1]:,}, {options.loss}, no folds\n")
    work = grid(rows, labels[:, : options.classes], options.loss, 0, CS[:: options.every])
    compare(work, options, options.fits or 10)


def digit_features(layers: tuple[str, ...]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Features of unit length of scikit-learn's digits, through a store, and their classes."""
    from offshelf.config import build_group, load
    from offshelf.extractor import Extractor, Request, get_or_extract
    from offshelf.store import MemoryStore

    config = load("classify", [])
    images = build_group(config, "dataset").load()
    request = Request(build_group(config, "backbone"), layers, "auto", build_group(config, "augmentation").views)
    values = get_or_extract(MemoryStore(), Extractor(), images.pictures, request).values
    flat = {layer: each.reshape(len(each), -1) for layer, each in values.items()}
    unit = {layer: each / np.linalg.norm(each, axis=1, keepdims=True) for layer, each in flat.items()}
    return {layer: (each, np.asarray(images.targets)) for layer, each in unit.items()}


def compare(work: Grid, options: Namespace, fits: int) -> None:
    """Half of the peers' fits, the solve, the other half; then what it found is checked."""
    _warm_up(options.loss)
    has_gram = len(work.rows) <= 20_000
    peers = liblinear(options.loss) + ([libsvm()] if options.loss == "hinge" and has_gram else [])
    sample = work.sample(fits)
    _ = work.doubles, has_gram and work.products
    for peer in peers:
        peer.time(work, sample[::2], options.threads)
    values, claimed = [], 0.0
    with recorded() as kept:
        start, busy = time.perf_counter(), time.process_time()
        for _, solution in solve(work.rows, work.problems, work.Cs, TOL, "cpu"):
            claimed = max(claimed, float(solution.gap_KV.max()))
            values.append((solution.C, every_decision(solution, work.problems).astype(np.float32)))
            print(f"C {solution.C:8.2f}, after {time.perf_counter() - start:6.1f} s", file=sys.stderr)
        ours, busy = time.perf_counter() - start, time.process_time() - busy
    for peer in peers:
        peer.time(work, sample[1::2], options.threads)
    milliseconds = 1e3 * ours / work.count
    print(f"offshelf: {work.count:,} problems in {ours:.1f} s, nothing given: {milliseconds:.2f} ms a problem")
    print(f"peers: {fits} fits each, spread evenly over Cs, classes and folds; tol 1e-4 (SVC 1e-3, Gram matrix free)\n")
    duals = _check(work, kept, claimed)
    rows = []
    for peer in peers:
        cpu = float(np.mean(peer.cpu)) / (busy / work.count)
        times = [f"{1e3 * peer.mean:.0f}", f"{1e3 * peer.mean / milliseconds:.1f}", f"{cpu:.1f}"]
        rows.append([peer.name, *times, *_quality(work, peer, duals)])
    table(
        ["peer", "ms a fit", "x the time of offshelf", "x the CPU time", "hit max_iter", "gap, median", "largest"], rows
    )
    if work.problems.shape[2] > 1:
        _compare_precision(work, values, options)


def _warm_up(loss: str) -> None:
    """Compile; `svm.py cold` measures what it takes."""
    random = np.random.default_rng(0)
    rows = random.random((600, 700), np.float32)
    labels = random.integers(0, 3, 600)
    LinearSVM(loss=loss).fit(rows, labels)
    LinearSVM(loss=loss).fit(np.tile(rows, (3, 1)), np.tile(labels, 3) == 0)  # a single class of many rows is swept


def _check(work: Grid, kept: dict[float, dict[int, Found]], claimed: float) -> np.ndarray:
    """Print the largest gap of all problems; their dual objectives [len(Cs), K, V]."""
    gaps, duals = [], []
    for C in work.Cs:
        parts, start = [], 0
        for found in kept.pop(C).values():
            count = found.beta_RKV.shape[1]
            parts.append(certify(work.tasks(start, count), C, found))
            start += count
        gaps.append(np.concatenate([gap for gap, _ in parts]))
        duals.append(np.concatenate([dual for _, dual in parts]))
    gap = np.array(gaps)
    print(f"largest relative gap of all {gap.size:,} problems, in float64 from the definition: {gap.max():.2e}")
    above = f"{(gap > TOL).sum()} above {TOL:.0e}"
    print(f"(median {np.median(gap):.1e}, {above}; the solver's own certificates: at most {claimed:.2e})\n")
    return np.array(duals)


def _quality(work: Grid, peer: Peer, duals: np.ndarray) -> list[str]:
    """How many fits stopped short; their gaps: libsvm's own, liblinear's against our dual objective."""
    gaps = peer.gaps
    if not gaps:
        primals = {number: objective(work, number, model) for number, model in peer.models.items()}
        gaps = [(primal - duals[number]) / primal for number, primal in primals.items()]
    short = f"{peer.short} of {len(peer.seconds)}" if peer.models else "no limit"
    return [short, f"{np.median(gaps):.1e}", f"{np.max(gaps):.1e}"]


def _compare_precision(work: Grid, values: list[tuple[float, np.ndarray]], options: Namespace) -> None:
    """Held-out average precision against liblinear at a small tolerance, one problem for every other C."""
    sample = [number for number in work.sample(60, seed=1) if number[2] < work.problems.shape[2] - 1]
    chosen = [next(number for number in sample if number[0] == C) for C in range(0, len(work.Cs), 2)]
    close = liblinear(options.loss, *CLOSE)[0]
    close.time(work, chosen, 1)
    differences = []
    for number in chosen:
        C, task, fold = number
        test = ~work.problems.members_RV[:, fold]
        w, b = close.models[number]
        truth = work.problems.signs_RK[test, task] > 0
        found = np.concatenate([decisions for at, decisions in values if at == work.Cs[C]], axis=1)[test, task, fold]
        theirs = average_precision_score(truth, work.doubles[test] @ w + b)
        differences.append((abs(average_precision_score(truth, found) - theirs), work.Cs[C], int(truth.sum())))
    largest, C, positives = max(differences)
    print(f"held-out average precision against LinearSVC at tol {CLOSE[0]:g}, {len(chosen)} problems:")
    print(f"at most {largest:.1e} apart, at C = {C:g} with {positives} positives; ", end="")
    print(f"{close.short} of LinearSVC's fits hit {CLOSE[1]:,} iterations\n")
