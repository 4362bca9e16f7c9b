"""Findings in a data set: a line at the beginning of a run, warnings at its end, and a table."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from offshelf.dataset import ImageSet, LeftOut, RetrievalSet
from offshelf.dataset.leaks import DROPPED, LeakFinder, LeakRules
from offshelf.evaluation.learning_curve import LearningCurves, unchosen_line
from offshelf.evaluation.score import Score
from offshelf.names import listed, readable
from offshelf.report.table import left_out_line, open_grids


def found_line(images: ImageSet | RetrievalSet) -> str:
    """Describe what was taken, remarks on it, and what was left out."""
    sentences = [f"{images.name}: {_taken(images)}.", *images.notes]
    if images.not_taken:
        sentences.append(f"Left out: {_reasons(images.not_taken)}.")
    return " ".join(sentences)


def repeats_line(images: ImageSet | RetrievalSet, where: str = "; see same_bytes.csv") -> str:
    """Return warnings about images that occur more than once; empty if there are none."""
    repeats = images.repeats
    lines = []
    if repeats.count:
        pairs = listed([f"{one} = {other}" for one, other in repeats.pairs])
        lines.append(f"{_known(images)} ({pairs}{_more(repeats.count, repeats.pairs)}){where}")
    if repeats.two_labels:
        pairs = listed([f"{one} = {other}" for one, other in repeats.label_pairs])
        lines.append(
            f"Warning: {repeats.two_labels:,} image(s) are equal, byte for byte, to one with another label "
            f"({pairs}{_more(repeats.two_labels, repeats.label_pairs)}){where}"
        )
    return "\n".join(lines)


def remarks(
    scores: Sequence[Score],
    chosen: Score,
    images: ImageSet,
    left_out: Sequence[LeftOut],
    curves: LearningCurves | None,
) -> list[str]:
    """Return what to beware of in the scores of a run, in the terminal and on its page alike; empty ones are kept."""
    return [
        unchosen_line(curves.points) if curves else "",
        repeats_line(images),
        leaks_line(images, chosen),
        left_out_line(left_out),
        open_grids(scores),
    ]


def leaks_line(images: ImageSet, score: Score) -> str:
    """Return a warning about groups and near duplicates on both sides, and the metric without all leaks; or nothing."""
    dropped = sum(one.why == DROPPED for one in images.not_taken)
    lines = [f"{dropped:,} training image(s) that leak were left out; see leaks.csv"] if dropped else []
    if isinstance(images.leaks, LeakFinder):
        beyond = images.leaks.leaks(images).summary(but="bytes")
        lines += [f"Warning: {beyond}; see leaks.csv"] if beyond else []
    key = f"test_without_leaks/{score.metric}"
    if key in score.metrics:
        low, high = (score.metrics.get(f"{key}_{end}", np.nan) for end in ("low", "high"))
        half = "" if np.isnan(low) else f" ± {(high - low) / 2:.4f}"
        name = score.metric.replace("_", " ")
        lines.append(f"Without the test images that are known from training: {name} {score.metrics[key]:.4f}{half}")
    return "\n".join(lines)


def shared_groups_line(images: ImageSet | RetrievalSet) -> str:
    """Return a warning about groups that are trained and tested on; empty if there are none, or no groups."""
    if not isinstance(images, ImageSet) or images.groups is None:
        return ""
    found = LeakFinder(images, LeakRules()).leaks(images).summary(but="bytes")
    return f"Warning: {found}" if found else ""


def left_out_table(left_out: Sequence[LeftOut]) -> dict[str, list[Any]]:
    """Return columns: id, role, why."""
    return {
        "id": [readable(one.id) for one in left_out],
        "role": [one.role for one in left_out],
        "why": [readable(one.why) for one in left_out],
    }


def _known(images: ImageSet | RetrievalSet) -> str:
    count, part = images.repeats.count, images.repeats.part
    if part == "train":
        return f"Warning: {count:,} training image(s) occur more than once, so that some are held out and trained on"
    if isinstance(images, RetrievalSet):
        return f"Warning: {count:,} of {len(images.queries):,} queries are equal to a reference, byte for byte"
    tested = len({row for fold in images.folds for row in fold.test.tolist()})
    return f"Warning: {count:,} of {tested:,} test images are also training images, byte for byte"


def _more(count: int, named: Sequence[object]) -> str:
    return f" and {count - len(named):,} more" if count > len(named) else ""


def _taken(images: ImageSet | RetrievalSet) -> str:
    if isinstance(images, RetrievalSet):
        return f"{len(images.references):,} references, {len(images.queries):,} queries"
    what = f"{len(images.samples):,} images {_labelled(images)}"
    if images.sizes:
        return what + _drawn(images)
    if len(images.folds) > 1:
        return f"{what} in {len(images.folds)} folds"
    return what + "".join(f", {len(fold.train):,} to train on, {len(fold.test):,} to test on" for fold in images.folds)


def _labelled(images: ImageSet) -> str:
    """Return what the labels are: `of 10 classes`, `with numbers from 18 to 93`."""
    if images.kind == "number":
        return f"with numbers from {images.targets.min():g} to {images.targets.max():g}{_grouped(images)}"
    return f"of {len(images.classes):,} {'labels' if images.is_multilabel else 'classes'}{_grouped(images)}"


def _grouped(images: ImageSet) -> str:
    return f" in {images.groups.count:,} groups ({images.groups.what})" if images.groups else ""


def _drawn(images: ImageSet) -> str:
    """Describe the training sizes, their draws and the test images."""
    names = [size.name for size in images.sizes]
    shown = ", ".join(names) if len(names) < 2 or images.sizes[0].unit == "fractions" else _shots(images)
    draws = max(size.draws for size in images.sizes)
    tested = len(np.unique(np.concatenate([fold.test for fold in images.folds])))
    return f", trained on {shown} in {draws} draw{'s' if draws > 1 else ''}, {tested:,} to test on"


def _shots(images: ImageSet) -> str:
    *most, last = [f"{size.value:g}" for size in images.sizes]
    return f"{', '.join(most)} and {last} shots"


def _reasons(not_taken: Iterable[LeftOut]) -> str:
    """Return the number for each reason, with the first few names."""
    by_reason: dict[str, list[str]] = {}
    for one in not_taken:
        by_reason.setdefault(one.why, []).append(readable(one.id))
    return "; ".join(f"{len(names):,} {why} ({listed(names)})" for why, names in by_reason.items())
