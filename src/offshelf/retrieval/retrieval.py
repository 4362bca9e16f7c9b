"""What nearness is: a vector an image, or all patches of one against all of another."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from typing_extensions import override

from offshelf.errors import ConfigError
from offshelf.suggest import did_you_mean

if TYPE_CHECKING:
    from offshelf.retrieval.similarities import Similarities

WORDS = {"distance": ("l2", "cosine"), "storage": ("float32", "float16"), "device": ("auto", "cpu", "cuda")}


class Retrieval(Protocol):
    """A frozen spec of a search."""

    def similarities(
        self, references_NPD: np.ndarray, queries_QVD: np.ndarray
    ) -> "Iterator[np.ndarray] | Iterator[Similarities]":
        """Of consecutive queries, V views each, to all references, P views each: [q, N]; nearer is larger.

        Raises:
            ConfigError: there is no such device here, or the features do not fit the storage, or are not finite.
        """

    def footprint(self, views: int, dims: int) -> tuple[int, int]:
        """Numbers, and bytes, that are kept of a reference of so many views."""


@dataclass(frozen=True)
class Nearest(Retrieval):
    """One vector an image, the mean over its views; with or without what the nearest references add to it.

    Raises:
        ConfigError: a field that does not fit.
    """

    distance: str = "l2"
    """`l2`, or `cosine`."""
    query_expansion: int = 0
    """A query becomes its mean with so many nearest references (Chum et al., ICCV 2007), and is searched for again."""
    database_augmentation: int = 0
    """Each reference becomes the mean of so many nearest ones, itself among them (Turcot and Lowe, ICCV-W 2009)."""
    alpha: float = 0.0
    """In these means a reference counts with its cosine to this power (Radenović et al., TPAMI 2018); 0: all alike.

    They are means of vectors of unit length, and have unit length again.
    """
    storage: str = "float32"
    """Of the references: `float32`, or `float16`, half the size."""
    device: str = field(default="auto", metadata={"identity": False})
    """`auto` (the GPU where there is one), `cpu` or `cuda`."""

    def __post_init__(self) -> None:
        check(self, *WORDS)
        for name in ("query_expansion", "database_augmentation"):
            count = getattr(self, name)
            if isinstance(count, bool) or not isinstance(count, int) or count < 0:
                raise ConfigError(f"retrieval.{name} is a number of references, 0 for none; got {count}.")
        if isinstance(self.alpha, bool) or not isinstance(self.alpha, int | float) or not 0 <= self.alpha < np.inf:
            raise ConfigError(f"retrieval.alpha is a power, 0 or more; got {self.alpha}.")

    @override
    def similarities(self, references_NPD: np.ndarray, queries_QVD: np.ndarray) -> "Iterator[Similarities]":
        from offshelf.retrieval.arrays import arrays_on
        from offshelf.retrieval.expansion import augmented, expanded
        from offshelf.retrieval.search import rows

        arrays = arrays_on(self.device)
        references, queries = one_view(references_NPD), one_view(queries_QVD)
        if self.database_augmentation:
            references = augmented(references, self.database_augmentation, self.alpha, arrays)
        if self.query_expansion:
            queries = expanded(queries, references, self.query_expansion, self.alpha, arrays)
        return rows(_stored(references, self.storage), queries, self.distance, arrays)

    @override
    def footprint(self, views: int, dims: int) -> tuple[int, int]:
        return dims, dims * np.dtype(self.storage).itemsize


@dataclass(frozen=True)
class SpatialSearch(Retrieval):
    """All views: the mean over a query's of the least distance to one of the reference's (2014 paper, section 4).

    Raises:
        ConfigError: a field that does not fit.
    """

    distance: str = "l2"
    """`l2`, the paper's, or `cosine`."""
    storage: str = "float32"
    """Of the references: `float32`, or `float16`, half the size."""
    device: str = field(default="auto", metadata={"identity": False})
    """`auto` (the GPU where there is one), `cpu` or `cuda`."""

    def __post_init__(self) -> None:
        check(self, *WORDS)

    @override
    def similarities(self, references_NPD: np.ndarray, queries_QVD: np.ndarray) -> "Iterator[Similarities]":
        from offshelf.retrieval.arrays import arrays_on
        from offshelf.retrieval.search import rows

        return rows(_stored(references_NPD, self.storage), queries_QVD, self.distance, arrays_on(self.device))

    @override
    def footprint(self, views: int, dims: int) -> tuple[int, int]:
        return views * dims, views * dims * np.dtype(self.storage).itemsize


def one_view(values_NVD: np.ndarray) -> np.ndarray:
    """The mean over views, [N, 1, D]: of several float64's, since in float32 it would differ from the numbers given."""
    return values_NVD if values_NVD.shape[1] == 1 else values_NVD.mean(axis=1, keepdims=True, dtype=np.float64)


def _stored(values: np.ndarray, storage: str) -> np.ndarray:
    """As they are searched. Raises ConfigError: they are too large for it."""
    if storage == "float32":
        return values
    largest = np.finfo(storage).max
    if np.finfo(values.dtype).max > largest and max(values.max(), -values.min()) > largest:
        raise ConfigError(
            f"retrieval.storage={storage} holds numbers up to {largest:,.0f}, and there are larger ones among these "
            "features: use float32, or postprocess=l2."
        )
    return values.astype(storage, copy=False)


def check(spec: Any, *names: str) -> None:
    """Raise ConfigError for a word that a field of these names cannot be."""
    for name in names:
        word, known = getattr(spec, name), WORDS[name]
        if word not in known:
            raise ConfigError(f"retrieval.{name} cannot be '{word}'{did_you_mean(str(word), known)}")
