"""Approximate search by faiss."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from typing_extensions import override

from offshelf.errors import ConfigError
from offshelf.retrieval.retrieval import Nearest, Retrieval, check, one_view, require_vectors

if TYPE_CHECKING:
    import faiss

BLOCK = 256
"""Number of queries searched at a time."""
TRAINED_BY = 39
"""Number of references per cell that faiss needs to train the centres."""


@dataclass(frozen=True)
class Approximate(Retrieval):
    """One vector per image, the mean over its views, searched for only in the nearest cells of the references.

    The references are divided into cells by k-means; a query searches the cells with the nearest centres. This is
    faiss's IndexIVFFlat (Jégou, Douze, Schmid, TPAMI 2011, section IV, without compression). References that it does
    not find are not in its ranking.

    Raises:
        ConfigError: A field is invalid.
    """

    distance: str = "l2"
    """`l2`, or `cosine`."""
    cells: int | None = None
    """Number of cells; None: 4 times the square root of the number of references, at most what faiss can train."""
    probes: int = 8
    """Number of cells that a query searches."""
    neighbours: int = 1000
    """Largest number of references that a query finds."""

    def __post_init__(self) -> None:
        check(self, "distance")
        for name in ("cells", "probes", "neighbours"):
            count = getattr(self, name)
            if (count is not None or name != "cells") and (
                isinstance(count, bool) or not isinstance(count, int) or count < 1
            ):
                raise ConfigError(f"retrieval.{name} must be a number of at least 1; got {count}.")

    @override
    def similarities(self, references_NPD: np.ndarray, queries_QVD: np.ndarray) -> Iterator[np.ndarray]:
        """Return similarities, -inf for references that are not found; found ones are measured in float64.

        Raises:
            ConfigError: Faiss is not installed, a number is not finite, or there are no vectors.
        """
        from offshelf.retrieval.exact import Exact

        require_vectors(references_NPD, queries_QVD)
        given = one_view(references_NPD), one_view(queries_QVD)
        if not all(np.isfinite(values).all() for values in given):
            raise ConfigError("Some features are NaN or infinite, which have no distance.")
        references, queries = (self._vectors(values) for values in given)
        index, count, exact = (
            self._index(references),
            min(self.neighbours, len(references)),
            Exact(*given, self.distance),
        )
        for start in range(0, len(queries), BLOCK):
            _, rows = index.search(queries[start : start + BLOCK], count)
            out = np.full((len(rows), len(references)), -np.inf)
            asked, place = np.nonzero(rows >= 0)  # -1 fills the rows of queries that find fewer
            found = rows[asked, place]
            out[asked, found] = exact.similarities(exact.of_pairs(asked + start, found))
            yield out

    @override
    def footprint(self, views: int, dims: int) -> tuple[int, int]:
        """Return numbers and bytes per reference: its vector and its number."""
        return dims, dims * 4 + 8

    @property
    def exact(self) -> Nearest:
        """The exact search that this one approximates."""
        return Nearest(self.distance, device="cpu")

    def _vectors(self, values_N1D: np.ndarray) -> np.ndarray:
        vectors = np.array(values_N1D[:, 0], np.float32)
        if self.distance == "cosine":
            vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.finfo(np.float32).tiny)
        return vectors

    def _index(self, references_ND: np.ndarray) -> "faiss.IndexIVFFlat":
        try:
            import faiss
        except ImportError as error:
            raise ConfigError("retrieval=approximate needs faiss: pip install 'offshelf[approximate]'") from error
        count, dims = references_ND.shape
        cells = self.cells or round(4 * count**0.5)
        cells = max(1, min(cells, count // TRAINED_BY))
        index = faiss.IndexIVFFlat(faiss.IndexFlatL2(dims), dims, cells)
        index.train(references_ND)
        index.add(references_ND)
        index.nprobe = self.probes
        return index
