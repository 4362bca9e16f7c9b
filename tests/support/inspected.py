"""What a page of an inspection is made from, without a run: features, probabilities and pictures of a test's choice."""

import numpy as np

from offshelf.dataset import Fold, ImageArray, ImageSet, Sample
from offshelf.evaluation.held_out import HeldOut
from offshelf.inspection.inspection import Inspection, Similar
from offshelf.inspection.pixels import PixelStatistics
from offshelf.report.html.embedding import embed
from offshelf.report.html.inspection.contents import InspectionContents


def image_set(targets, classes, *, names=None, picture=None, metric="accuracy"):
    """A set whose first half is trained on."""
    count = len(targets)
    picture = picture or noise
    names = names or [f"folder/image-{row:05d}.png" for row in range(count)]
    samples = [Sample(names[row], ImageArray(picture(row)), plain(targets[row])) for row in range(count)]
    rows = np.arange(count)
    return ImageSet("a set", tuple(classes), samples, (Fold(rows[: count // 2], rows[count // 2 :]),), metric)


def noise(row, side=12):
    return np.random.default_rng(row).integers(0, 256, (side, side, 3), dtype=np.uint8)


def plain(target):
    if np.ndim(target):
        return tuple(int(value) for value in target)
    return float(target) if isinstance(target, float | np.floating) else int(target)


def inspection_of(images, features=None, probabilities=None, near=0.9):
    """An inspection of all images; by default features and probabilities are of their classes, with some noise."""
    count, classes, rng = len(images.samples), len(images.classes), np.random.default_rng(0)
    if features is None:
        features = np.concatenate([np.eye(classes)[images.targets], rng.normal(0, 0.3, (count, 40))], axis=1)
    features = np.asarray(features, np.float32)
    pixels = PixelStatistics.of(images.pictures)
    similar = Similar.of(images, features[:, None], pixels, near, "cpu")
    held_out = None if probabilities is None else HeldOut(np.arange(count), np.asarray(probabilities, float))
    return Inspection.of(images, features, similar, held_out, pixels)


def shares(targets, classes, wrong=(), sure=0.9):
    """Probabilities of classes: the label has most, but of rows in `wrong` the next class."""
    found = np.full((len(targets), classes), (1 - sure) / max(classes - 1, 1))
    taken = np.array(targets).copy()
    taken[list(wrong)] = (taken[list(wrong)] + 1) % classes
    found[np.arange(len(targets)), taken] = sure
    return found


def contents_of(inspection, **more):
    """What the page is made from."""
    metrics = {"test/accuracy": 0.9, "test/accuracy_low": 0.85, "test/accuracy_high": 0.95}
    embedding = embed(inspection.features_ND, "pca")
    return InspectionContents("a set: last of tiny", "last of tiny", inspection, embedding, metrics, "accuracy", **more)
