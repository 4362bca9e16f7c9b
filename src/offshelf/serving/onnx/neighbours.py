"""A fitted classifier by nearest neighbours as a torch module in float32, with its training rows.

Axes: N images, V views, D features, R training rows, k neighbours, nearest first, K classes or labels.
"""

import numpy as np
import torch
from torch import nn
from torch.nn.functional import normalize

from offshelf.knn import KNNProbe
from offshelf.serving.onnx.transformer import Constants, tensor


class NeighbourVotes(nn.Module):
    """Responses [N, V, K] of a KNNProbe to features [N, V, D].

    Of neighbours whose distances are equal in float32, the file may take another one than the run.
    """

    def __init__(self, probe: KNNProbe) -> None:
        super().__init__()
        self.nearest = (_Cosines if probe.distance == "cosine" else _Euclidean)(probe.references_)
        self.polls = nn.ModuleList(_Poll(probe, columns, rows) for columns, rows in probe.counted())
        self.shift = 0.5 if probe.kind_ == "multilabel" else 0.0
        order = np.concatenate([columns for columns, _ in probe.counted()] or [np.zeros(0, int)])
        place = np.full(len(probe.classes_), len(order))  # of labels for which no row counts: the zeros at the end
        place[order] = np.arange(len(order))
        self.place: torch.Tensor
        self.register_buffer("place", torch.from_numpy(place))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Return the shares of the votes of all polls, in the order of the classes."""
        similarities = self.nearest(values)
        shares = [poll(similarities) for poll in self.polls]
        none = torch.zeros_like(values[..., :1])
        return torch.cat([*shares, none], -1).index_select(-1, self.place) - self.shift


class _Cosines(Constants):
    """Cosines [..., R] of training rows with rows [..., D]; 0 with a row of zeros."""

    rows: torch.Tensor

    def __init__(self, references_RD: np.ndarray) -> None:
        exact = references_RD.astype(np.float64)
        lengths = np.linalg.norm(exact, axis=1, keepdims=True)
        super().__init__(rows=exact / np.where(lengths == 0, 1, lengths))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return normalize(values, dim=-1, eps=1e-30) @ self.rows.T


class _Euclidean(Constants):
    """Half the squared length of rows [..., D] minus half their squared distances to training rows: [..., R].

    The origin is the mean of the training rows, so that less is lost to rounding.
    """

    rows: torch.Tensor
    mean: torch.Tensor
    halves: torch.Tensor

    def __init__(self, references_RD: np.ndarray) -> None:
        exact = references_RD.astype(np.float64)
        mean = exact.mean(axis=0)
        super().__init__(rows=exact - mean, mean=mean, halves=((exact - mean) ** 2).sum(axis=1) / 2)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return (values - self.mean) @ self.rows.T - self.halves


class _Poll(nn.Module):
    """Shares [..., columns] in the votes of the nearest k of the training rows that count for these columns."""

    def __init__(self, probe: KNNProbe, columns: np.ndarray, rows: np.ndarray) -> None:
        super().__init__()
        self.k, self.temperature = min(probe.n_neighbors_, len(rows)), probe.temperature
        is_all = len(rows) == len(probe.references_)
        self.rows: torch.Tensor | None
        self.register_buffer("rows", None if is_all else torch.from_numpy(rows))
        several = probe.kind_ == "multilabel"
        chosen = probe.labels_[np.ix_(rows, columns)] > 0 if several else probe.labels_[:, None] == columns
        self.is_of: torch.Tensor
        self.register_buffer("is_of", tensor(chosen))  # [rows, columns]

    def forward(self, similarities: torch.Tensor) -> torch.Tensor:
        if self.rows is not None:
            similarities = similarities.index_select(-1, self.rows)
        found, numbers = similarities.topk(self.k)
        votes = self.is_of[numbers]  # [..., k, columns]
        if self.temperature is None:
            return votes.mean(-2)
        weights = ((found - found[..., :1]) / self.temperature).exp()
        return (votes * weights[..., None]).sum(-2) / weights.sum(-1, keepdim=True)
