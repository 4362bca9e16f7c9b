"""The computations of a run on an image's squares of pixels, as one torch module.

Axes: N images, U upright views, V views, D features, K classes, S pixels per side.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import nn

from offshelf.augmentation import View
from offshelf.classifier import Calibration
from offshelf.errors import ModelError
from offshelf.extractor.engine import Eager
from offshelf.serving.onnx import scorer, transformer
from offshelf.serving.predictor import Predictor


def upright(views: Sequence[View]) -> tuple[View, ...]:
    """Return the views that are not mirror images of others.

    Raises:
        ModelError: Views are not just parts of the image, resized, or have several sizes.
    """
    for view in views:
        if view.angle or view.fit == "enclosing":
            raise ModelError(
                f"The view '{view}' cannot be exported to ONNX: parts of the image and mirror images can, rotated and "
                "enclosing views cannot. `offshelf export RUN DIR` supports any."
            )
    if len({view.scale for view in views}) > 1:
        raise ModelError(
            "Views at several scales cannot be exported to ONNX, whose input has one size. `offshelf export RUN DIR` "
            "supports any."
        )
    return tuple(dict.fromkeys(replace(view, mirror=False) for view in views))


class Pipeline(nn.Module):
    """Mirror images, normalisation, the network up to the run's layer, pooling, transforms, classifier and fusion."""

    def __init__(self, predictor: Predictor) -> None:
        """Build the network. Raises ModelError if a part has no counterpart here."""
        super().__init__()
        model, views = predictor.model, predictor.request.views
        originals = upright(views)
        self.sources = [originals.index(replace(view, mirror=False)) for view in views]
        self.mirrored = [view.mirror for view in views]
        self.transform, self.scores = transformer.as_module(model.transformer), scorer.as_module(model.scorer)
        self.calibration = _Probabilities(model.calibration) if model.calibration else None
        self.kind, self.layers = model.kind, model.layers
        self.eager = Eager(predictor.request)

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return the answers for uint8 [N, 3, S, S], or [N, U, 3, S, S] if U > 1.

        Returns:
            Scores float32 [N, K]; classes int64 [N], labels bool [N, K], or numbers float32 [N]; and probabilities
            float32 [N, K], if the run has learnt them.
        """
        originals = pixels if pixels.ndim == 5 else pixels[:, None]
        seen = [self._view(originals, number) for number in range(len(self.sources))]
        rows = torch.stack(seen, 1).flatten(0, 1)  # [N * V, 3, S, S]
        features = self.features(rows.permute(0, 2, 3, 1), True)
        scores = self.scores(self.transform(features.unflatten(0, (-1, len(seen)))))
        said = scores > 0 if self.kind == "labels" else scores[:, 0] if self.kind == "number" else scores.argmax(1)
        return (scores, said, self.calibration(scores)) if self.calibration else (scores, said)

    def features(self, pixels: torch.Tensor, whole: bool = False) -> torch.Tensor:
        """Return the features, float32 [B, D], of pixels, uint8 [B, S, S, 3]; those of several layers concatenated."""
        found = self.eager(pixels, whole)
        return torch.cat([found[layer] for layer in self.layers], 1)

    def _view(self, originals: torch.Tensor, number: int) -> torch.Tensor:
        view = originals[:, self.sources[number]]
        return view.flip(-1) if self.mirrored[number] else view


class _Probabilities(transformer.Constants):
    """The module of Calibration."""

    slopes: torch.Tensor
    offsets: torch.Tensor

    def __init__(self, calibration: Calibration) -> None:
        super().__init__(slopes=calibration.slopes_K, offsets=calibration.offsets_K)
        self.is_multilabel = calibration.is_multilabel

    def forward(self, scores: torch.Tensor) -> torch.Tensor:
        logits = scores * self.slopes + self.offsets
        return logits.sigmoid() if self.is_multilabel else logits.softmax(1)
