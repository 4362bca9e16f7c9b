"""Consistency checks of labelled sets, for data sets of the user."""

import numpy as np

from offshelf.dataset.imageset import FileSamples, Fold, ImageSet
from offshelf.errors import DatasetError
from offshelf.metric import metrics_of


def require_sound(images: ImageSet) -> None:
    """Raise DatasetError if a set contradicts itself; the message says where."""
    if not len(images.samples):
        raise DatasetError(f"{images.name} has no samples.")
    if not images.folds:
        raise DatasetError(f"{images.name} has no folds: load() must return what to train and test on.")
    _require_targets(images)
    for number, fold in enumerate(images.folds):
        _require_fold(images, number, fold)
    _require_metric(images)
    if isinstance(images.samples, FileSamples):  # named by their paths
        return
    seen: set[str] = set()
    for sample in images.samples:
        if sample.id in seen:
            raise DatasetError(f"{images.name} has two samples '{sample.id}'; ids must be unique.")
        seen.add(sample.id)


def _require_metric(images: ImageSet) -> None:
    """Raise DatasetError for a metric that the labels do not have, and for a loss, whose largest value would win."""
    known = metrics_of(images.kind)
    ours = ", ".join(name for name, metric in known.items() if not metric.is_loss)
    if images.metric not in known:
        raise DatasetError(f"{images.name}: the metric '{images.metric}' does not exist; choose one of {ours}.")
    if known[images.metric].is_loss:
        raise DatasetError(
            f"{images.name}: of {images.metric} less is better, and the metric of a set is to be large; choose one of "
            f"{ours}. {images.metric} is reported all the same."
        )


def _require_targets(images: ImageSet) -> None:
    count = len(images.classes)
    try:
        targets = images.targets
    except (ValueError, TypeError) as error:
        raise DatasetError(
            f"{images.name}: its targets are not all numbers, or not all tuples of one length."
        ) from error
    if images.kind == "number":
        _require_numbers(images)
        return
    if targets.ndim == 2 and (targets.shape[1] != count or not np.isin(targets, (-1, 0, 1)).all()):
        raise DatasetError(f"{images.name}: targets of several labels must be 1, -1 or 0 for each of {count} classes.")
    if targets.ndim == 1 and not ((targets >= 0) & (targets < count)).all():
        raise DatasetError(f"{images.name}: targets must be class numbers, 0 to {count - 1} for its {count} classes.")


def _require_numbers(images: ImageSet) -> None:
    if not np.isfinite(images.targets).all():
        raise DatasetError(f"{images.name}: targets that are numbers must be finite.")
    if len(images.classes) != 1:
        raise DatasetError(f"{images.name}: classes must hold one name, what the numbers are; got {images.classes}.")


def _require_fold(images: ImageSet, number: int, fold: Fold) -> None:
    rows = [np.asarray(part) for part in (fold.train, fold.test)]
    for name, part in zip(("train", "test"), rows, strict=True):
        if not len(part) and name == "test":  # allowed for recommending, which needs no test part
            continue
        if part.ndim != 1 or part.dtype.kind not in "iu" or not len(part):
            raise DatasetError(f"{images.name}, fold {number}: {name} must be a non-empty array of row numbers.")
        if part.min() < 0 or part.max() >= len(images.samples) or len(np.unique(part)) < len(part):
            raise DatasetError(
                f"{images.name}, fold {number}: {name} has rows outside the {len(images.samples)} samples, or repeats."
            )
    both = np.intersect1d(rows[0], rows[1]).astype(np.int64)
    if len(both):
        raise DatasetError(
            f"{images.name}, fold {number}: {len(both)} sample(s) are trained and tested on, the first of them "
            f"'{images.samples[int(both[0])].id}'."
        )
