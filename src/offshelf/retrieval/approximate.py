"""Approximate search by faiss, and how much of the exact search it finds."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from typing_extensions import override

from offshelf.errors import ConfigError
from offshelf.retrieval.retrieval import Nearest, Retrieval, check, one_view

if TYPE_CHECKING:
    import faiss

BLOCK = 256
"""Queries searched at a time."""
TRAINED_BY = 39
"""References a cell that faiss wants for finding the cells' centres."""


@dataclass(frozen=True)
class Approximate(Retrieval):
    """One vector an image, the mean over its views, searched for in the nearest cells of the references alone.

    The references are cut into cells by k-means; a query looks into the cells whose centres are nearest to it: faiss's
    IndexIVFFlat (Jégou, Douze, Schmid, TPAMI 2011, section IV, without compression). What it does not find is not in
    its ranking.

    Raises:
        ConfigError: a field that does not fit.
    """

    distance: str = "l2"
    """`l2`, or `cosine`."""
    cells: int | None = None
    """How many; None: the square root of the number of references, times 4, and no more than faiss can train."""
    probes: int = 8
    """Cells that a query looks into."""
    neighbours: int = 1000
    """References that a query finds, at most."""

    def __post_init__(self) -> None:
        check(self, "distance")
        for name in ("cells", "probes", "neighbours"):
            count = getattr(self, name)
            if (count is not None or name != "cells") and (
                isinstance(count, bool) or not isinstance(count, int) or count < 1
            ):
                raise ConfigError(f"retrieval.{name} is a number, 1 or more; got {count}.")

    @override
    def similarities(self, references_NPD: np.ndarray, queries_QVD: np.ndarray) -> Iterator[np.ndarray]:
        """See Retrieval; -inf for what is not found, of which faiss's order is not kept: it is measured in float64.

        Raises:
            ConfigError: faiss is not installed, or a number is not finite.
        """
        from offshelf.retrieval.exact import Exact

        given = one_view(references_NPD), one_view(queries_QVD)
        if not all(np.isfinite(values).all() for values in given):
            raise ConfigError("There are features that are NaN or infinite, which have no distance.")
        references, queries = (self._vectors(values) for values in given)
        index, count, exact = (
            self._index(references),
            min(self.neighbours, len(references)),
            Exact(*given, self.distance),
        )
        for start in range(0, len(queries), BLOCK):
            _, rows = index.search(queries[start : start + BLOCK], count)
            out = np.full((len(rows), len(references)), -np.inf)
            asked, place = np.nonzero(rows >= 0)  # -1 fills what the cells have not
            found = rows[asked, place]
            out[asked, found] = exact.similarities(exact.of_pairs(asked + start, found))
            yield out

    @override
    def footprint(self, views: int, dims: int) -> tuple[int, int]:
        """See Retrieval; beside the vector, the reference's number."""
        return dims, dims * 4 + 8

    @property
    def exact(self) -> Nearest:
        """The search that this one approximates."""
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
