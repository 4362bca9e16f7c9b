"""What a model says of images, for people and programs."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from offshelf.model.model import Model


def columns(model: Model, names: Sequence[str], scores_NK: np.ndarray) -> dict[str, list[Any]]:
    """Columns image, class, score; or, for several labels, image, labels (those above 0, joined by `;`), score of each.

    The scores are those of `predictions.csv`.
    """
    if model.is_multilabel:
        each = {f"score {name}": scores_NK[:, column].tolist() for column, name in enumerate(model.classes)}
        labels = [";".join(_labels(model, scores)) for scores in scores_NK]
        return {"image": list(names), "labels": labels, **each}
    best = scores_NK.argmax(axis=1)
    return {
        "image": list(names),
        "class": [model.classes[number] for number in best],
        "score": scores_NK.max(axis=1, initial=-np.inf).tolist(),
    }


def records(model: Model, names: Sequence[str], scores_NK: np.ndarray) -> list[dict[str, Any]]:
    """For each image its class and score, or its labels, and the scores of all."""
    made = []
    for name, scores in zip(names, scores_NK, strict=True):
        by_class = dict(zip(model.classes, scores.tolist(), strict=True))
        best = model.classes[int(scores.argmax())]
        said = {"labels": _labels(model, scores)} if model.is_multilabel else {"class": best, "score": by_class[best]}
        made.append({"image": name, **said, "scores": by_class})
    return made


def _labels(model: Model, scores_K: np.ndarray) -> list[str]:
    return [name for name, score in zip(model.classes, scores_K, strict=True) if score > 0]
