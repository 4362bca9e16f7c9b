"""What a report is made from, without a run: scores and features that a test chooses."""

import numpy as np

from offshelf.classifier import Curve, FitResult
from offshelf.dataset import Fold, ImageArray, ImageSet, Sample
from offshelf.evaluation.score import Score
from offshelf.extractor import Features
from offshelf.extractor.features import Cost
from offshelf.metric import Bootstrap, Outcome
from offshelf.report.html.contents import Contents


class Same:
    """A transform that changes nothing."""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return X


def contents_of(targets, scores, features, classes, *, names=None, picture=None, replicates=200, **more):
    """The contents of a run on one fold: the first half of the samples is trained on, the rest is tested.

    Args:
        targets: Of all samples.
        scores: Of the tested ones.
        features: float [N, D].
        classes: Names.
        names: Ids of the samples.
        picture: Function from a row to pixels, uint8 [H, W, 3].
        replicates: Of the bootstrap.
        more: Other fields of `Contents`.
    """
    count = len(targets)
    names = names or [f"folder/image-{row:05d}.png" for row in range(count)]
    picture = picture or (lambda row: np.full((8, 8, 3), 40 + row % 200, np.uint8))
    samples = [Sample(names[row], ImageArray(picture(row)), _target(targets[row])) for row in range(count)]
    train, test = np.arange(count - len(scores)), np.arange(count - len(scores), count)
    metric = {"i": "accuracy", "f": "r2"}["f" if targets.dtype.kind == "f" else "i"]
    metric = "mAP_area" if targets.ndim == 2 else metric
    images = ImageSet("a set", tuple(classes), samples, (Fold(train, test),), metric)
    curve = Curve("C", (0.1, 1.0, 10.0), np.array([[0.5, 0.6, 0.7], [0.8, 0.9, 0.7], [0.7, 0.9, 0.7]]))
    fit = FitResult("C", 1.0, curve, lambda values: values, held_out=curve.scores[1])
    outcome = Outcome(np.asarray(targets)[test], np.asarray(scores, np.float64))
    score = Score(
        *("last", features.shape[1], metric, (fit,), (outcome,), 0.1, Bootstrap(replicates)),
        transformers=(Same(),),
        test_transformers=(Same(),),
    )
    found = Features({"last": np.asarray(features, np.float32)[:, None]}, "digest", Cost())
    metrics = {**score.metrics, "cost/fit_seconds": 0.1}
    return Contents("a run", "tiny", images, [score], [], score, found, metrics, **more)


def _target(one):
    if np.ndim(one):
        return tuple(int(value) for value in one)
    return float(one) if isinstance(one, float | np.floating) else int(one)
