"""Descriptions of data sets for the terminal."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from offshelf.dataset import About, ImageSet, RetrievalSet, Truth
from offshelf.terminal.grid import Grid

NAMED = 5
"""Number of classes that are named; the others are counted."""


def about_table(about: About, folder: Path) -> Grid:
    """Return title, licence and origin."""
    facts = [("name", about.name), ("licence", about.licence), ("from", about.home), ("cite", about.citation)]
    return Grid.of_facts([*facts, ("in", str(folder))], about.title)


def size_table(images: ImageSet) -> Grid:
    """Return parts, classes, labels or numbers, and the official metric."""
    folds = f", in each of {len(images.folds)} folds" if len(images.folds) > 1 else ""
    every = [fold for size in images.sizes for fold in size.folds] or images.folds
    facts = [("samples", f"{len(images.samples):,}")]
    facts += [(part, f"{_span([len(getattr(fold, part)) for fold in every])}{folds}") for part in ("train", "test")]
    if images.kind != "number":
        named = ", ".join(images.classes[:NAMED]) + (", …" if len(images.classes) > NAMED else "")
        facts.append(("classes", f"{len(images.classes)}: {named}"))
    return Grid.of_facts([*facts, *_label_rows(images), ("metric", images.metric)])


def retrieval_table(images: RetrievalSet) -> Grid:
    """Return references, queries, the relevant references by protocol, and the official metric."""
    facts = [("references", f"{len(images.references):,}"), ("queries", f"{len(images.queries):,}")]
    for protocol, truths in images.truths.items():
        facts += [(f"{name}, {protocol}" if protocol else name, value) for name, value in _truth_rows(truths)]
    return Grid.of_facts([*facts, ("metric", images.metric)])


def _truth_rows(truths: Sequence[Truth]) -> list[tuple[str, str]]:
    """Return numbers of references per query; zeros are not listed."""
    relevant, ignored = [truth.n_relevant for truth in truths], [len(truth.ignored) for truth in truths]
    missing, nothing = sum(truth.missing for truth in truths), relevant.count(0)
    rows = [("relevant per query", f"{np.mean(relevant):.2f}, {_span(relevant)}")]
    rows += [("ignored per query", f"{np.mean(ignored):.2f}, {_span(ignored)}")] if any(ignored) else []
    rows += [("relevant, but missing", f"{missing:,} in all, counted as never found")] if missing else []
    return rows + ([("nothing to find", f"{nothing:,} queries, not counted")] if nothing else [])


def _label_rows(images: ImageSet) -> list[tuple[str, str]]:
    train = np.unique(np.concatenate([fold.train for fold in images.folds]))
    targets = images.targets
    if images.kind == "number":
        spread = f"{targets.min():g} to {targets.max():g}, mean {targets.mean():.4g}, deviation {targets.std():.4g}"
        return [(images.classes[0], spread)]
    if not images.is_multilabel:
        test = np.unique(np.concatenate([fold.test for fold in images.folds]))
        counts = {
            part: np.bincount(targets[rows], minlength=len(images.classes))
            for part, rows in (("train", train), ("test", test))
        }
        several = " over all folds" if len(images.folds) > 1 else ""
        return [(f"{part}, per class", f"{_span(list(count))}{several}") for part, count in counts.items()]
    positives = (targets > 0).sum(axis=1)
    return [
        ("labels per sample", f"{positives.mean():.2f}, {_span(list(positives))}"),
        ("train, per class", f"{_span(list((targets[train] > 0).sum(axis=0)))} positives"),
        ("not counted", f"{(targets == 0).mean():.1%} of all labels"),
    ]


def _span(numbers: list[int]) -> str:
    """Return one number, or the smallest and the largest."""
    low, high = min(numbers), max(numbers)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"
