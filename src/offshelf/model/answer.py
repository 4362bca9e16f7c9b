"""Answers of a model for people and programs."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from offshelf.model.model import Model


def columns(
    model: Model, names: Sequence[str], scores_NK: np.ndarray, probabilities: bool = False
) -> dict[str, list[Any]]:
    """Return columns image, class, score; or image, labels (joined by `;`), score of each label; or image, number.

    Labels are those with a score above 0. Scores are those of `predictions.csv`. With `probabilities` there is also
    that of the class, or of each label.

    Raises:
        ModelError: The model has no probabilities.
    """
    likely_NK = model.probabilities(scores_NK) if probabilities else None
    if model.is_multilabel:
        each = {f"score {name}": scores_NK[:, column].tolist() for column, name in enumerate(model.classes)}
        labels = [";".join(_labels(model, scores)) for scores in scores_NK]
        if likely_NK is not None:
            each |= {f"probability {name}": likely_NK[:, column].tolist() for column, name in enumerate(model.classes)}
        return {"image": list(names), "labels": labels, **each}
    if model.kind == "number":
        return {"image": list(names), "number": scores_NK[:, 0].tolist()}
    best = scores_NK.argmax(axis=1)
    found = {
        "image": list(names),
        "class": [model.classes[number] for number in best],
        "score": scores_NK.max(axis=1, initial=-np.inf).tolist(),
    }
    if likely_NK is None:
        return found
    return found | {"probability": likely_NK[np.arange(len(best)), best].tolist()}


def records(
    model: Model, names: Sequence[str], scores_NK: np.ndarray, probabilities: bool = False
) -> list[dict[str, Any]]:
    """Return each image's class and score, or labels, with the scores (and `probabilities`) of all; or its number.

    Raises:
        ModelError: The model has no probabilities.
    """
    if model.kind == "number":
        return [{"image": name, "number": float(one)} for name, (one,) in zip(names, scores_NK, strict=True)]
    made: list[dict[str, Any]] = []
    for name, scores in zip(names, scores_NK, strict=True):
        by_class = dict(zip(model.classes, scores.tolist(), strict=True))
        best = model.classes[int(scores.argmax())]
        said = {"labels": _labels(model, scores)} if model.is_multilabel else {"class": best, "score": by_class[best]}
        made.append({"image": name, **said, "scores": by_class})
    if probabilities:
        for record, likely_K in zip(made, model.probabilities(scores_NK), strict=True):
            record["probabilities"] = dict(zip(model.classes, likely_K.tolist(), strict=True))
            if not model.is_multilabel:
                record["probability"] = record["probabilities"][record["class"]]
    return made


def _labels(model: Model, scores_K: np.ndarray) -> list[str]:
    return [name for name, score in zip(model.classes, scores_K, strict=True) if score > 0]
