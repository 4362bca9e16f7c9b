"""The spectrum of the training features of each layer, and the similarity of layers."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from offshelf.extractor import Features
from offshelf.metric.spectrum import cka, rankme, singular_values, stable_rank

ROWS = 25_600
"""Largest number of rows that are used, as in the RankMe paper."""
WIDE = 4096
"""Of layers of more dimensions than this there are no more rows than this: it bounds the eigenvalue problem."""
CKA_ROWS = 2048
"""Largest number of rows for the similarity of layers."""
SEED = 0
"""Seed of the draw, which is fixed, so that all networks are judged by the same rows."""


@dataclass(frozen=True)
class Spectrum:
    """Numbers of the singular values of a layer's training features."""

    dims: int
    rows: int
    """Number of rows that were used: a view of an image each."""
    rankme: float
    stable_rank: float

    @property
    def metrics(self) -> Mapping[str, float]:
        """The numbers under the names used in MLflow and metrics.json."""
        return {"spectrum/rankme": self.rankme, "spectrum/stable_rank": self.stable_rank}


@dataclass(frozen=True, eq=False)
class Spectra:
    """The spectrum of each layer, and the similarity of all pairs of layers."""

    layers: Mapping[str, Spectrum]
    cka_LL: np.ndarray = field(repr=False)
    """Linear CKA: float64 [L, L]."""
    seconds: float
    """Time that it took."""

    @staticmethod
    def of(features: Features, train_N: np.ndarray) -> "Spectra":
        """Compute from the features of the network, before postprocessing.

        Rows are drawn by a fixed seed if there are more than ROWS, or WIDE of wide layers. The similarity uses the
        first CKA_ROWS of them.

        Args:
            features: Features of one or several layers, fused or not.
            train_N: Row numbers of the training images.
        """
        start = time.perf_counter()
        views = next(iter(features.values.values())).shape[1]
        order = np.random.default_rng(SEED).permutation(len(train_N) * views)[:ROWS]
        places = train_N[order // views], order % views
        layers = features.by_layer()
        spectra = {name: _spectrum(values_NVD, *places) for name, values_NVD in layers.items()}
        similar = cka([values_NVD[places[0][:CKA_ROWS], places[1][:CKA_ROWS]] for values_NVD in layers.values()])
        return Spectra(spectra, similar, time.perf_counter() - start)

    def columns(self) -> dict[str, list[Any]]:
        """Return columns: layer, dims, rows, rankme, stable_rank."""
        each = list(self.layers.values())
        columns = {name: [getattr(one, name) for one in each] for name in ("dims", "rows", "rankme", "stable_rank")}
        return {"layer": list(self.layers), **columns}

    def cka_columns(self) -> dict[str, list[Any]]:
        """Return the similarities as columns: layer, and one for each layer."""
        rows = dict(zip(self.layers, self.cka_LL.tolist(), strict=True))
        return {"layer": list(self.layers), **rows}


def _spectrum(values_NVD: np.ndarray, images: np.ndarray, views: np.ndarray) -> Spectrum:
    dims = values_NVD.shape[-1]
    limit = ROWS if dims <= WIDE else WIDE
    rows_RD = values_NVD[images[:limit], views[:limit]]
    values_S = singular_values(rows_RD)
    return Spectrum(dims, len(rows_RD), rankme(values_S), stable_rank(values_S))
