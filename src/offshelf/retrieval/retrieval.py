"""Searches: by one vector per image, or by all patches of one image against all of another."""

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
        """Yield similarities of consecutive queries, V views each, to all references, P views each: [q, N].

        A larger similarity is nearer.

        Raises:
            ConfigError: The device is not available, or the features do not fit the storage, are not finite, or are
                empty.
        """

    def footprint(self, views: int, dims: int) -> tuple[int, int]:
        """Return the numbers and bytes that are kept of a reference with this many views."""


@dataclass(frozen=True)
class Nearest(Retrieval):
    """One vector per image, the mean over its views, optionally averaged with the nearest references.

    Raises:
        ConfigError: A field is invalid.
    """

    distance: str = "l2"
    """`l2`, or `cosine`."""
    query_expansion: int = 0
    """Number of nearest references to average a query with before it is searched again (Chum et al., ICCV 2007)."""
    database_augmentation: int = 0
    """Number of nearest references, itself included, to average each reference with (Turcot and Lowe, ICCV-W 2009)."""
    alpha: float = 0.0
    """Power of the cosine by which these means weight a reference (Radenović et al., TPAMI 2018); 0: equal weights.

    Vectors have unit length before and after.
    """
    storage: str = "float32"
    """Storage of the references: `float32`, or `float16`, half the size."""
    device: str = field(default="auto", metadata={"identity": False})
    """`auto` (a GPU if there is one), `cpu` or `cuda`."""

    def __post_init__(self) -> None:
        check(self, *WORDS)
        for name in ("query_expansion", "database_augmentation"):
            count = getattr(self, name)
            if isinstance(count, bool) or not isinstance(count, int) or count < 0:
                raise ConfigError(f"retrieval.{name} must be a number of references, 0 for none; got {count}.")
        if isinstance(self.alpha, bool) or not isinstance(self.alpha, int | float) or not 0 <= self.alpha < np.inf:
            raise ConfigError(f"retrieval.alpha must be a power of at least 0; got {self.alpha}.")

    @override
    def similarities(self, references_NPD: np.ndarray, queries_QVD: np.ndarray) -> "Iterator[Similarities]":
        from offshelf.retrieval.arrays import arrays_on
        from offshelf.retrieval.expansion import augmented, expanded
        from offshelf.retrieval.search import rows

        require_vectors(references_NPD, queries_QVD)
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
    """All views: the mean over a query's views of the least distance to a reference's (2014 paper, section 4).

    Raises:
        ConfigError: A field is invalid.
    """

    distance: str = "l2"
    """`l2`, as in the paper, or `cosine`."""
    storage: str = "float32"
    """Storage of the references: `float32`, or `float16`, half the size."""
    device: str = field(default="auto", metadata={"identity": False})
    """`auto` (a GPU if there is one), `cpu` or `cuda`."""

    def __post_init__(self) -> None:
        check(self, *WORDS)

    @override
    def similarities(self, references_NPD: np.ndarray, queries_QVD: np.ndarray) -> "Iterator[Similarities]":
        from offshelf.retrieval.arrays import arrays_on
        from offshelf.retrieval.search import rows

        require_vectors(references_NPD, queries_QVD)
        return rows(_stored(references_NPD, self.storage), queries_QVD, self.distance, arrays_on(self.device))

    @override
    def footprint(self, views: int, dims: int) -> tuple[int, int]:
        return views * dims, views * dims * np.dtype(self.storage).itemsize


def require_vectors(references_NPD: np.ndarray, queries_QVD: np.ndarray) -> None:
    """Raise ConfigError for features that cannot be compared: none, or of different lengths."""
    for name, values in (("references", references_NPD), ("queries", queries_QVD)):
        if values.ndim != 3 or not values.size:
            raise ConfigError(
                f"A search needs {name}: features [images, views, dimensions], at least one of each; got "
                f"{list(values.shape)}."
            )
    if references_NPD.shape[2] != queries_QVD.shape[2]:
        dims = f"{queries_QVD.shape[2]} and {references_NPD.shape[2]}"
        raise ConfigError(f"Queries and references have features of one length; got {dims} dimensions.")


def one_view(values_NVD: np.ndarray) -> np.ndarray:
    """Return the mean over views, [N, 1, D]; over several in float64, since float32 would round it."""
    return values_NVD if values_NVD.shape[1] == 1 else values_NVD.mean(axis=1, keepdims=True, dtype=np.float64)


def _stored(values: np.ndarray, storage: str) -> np.ndarray:
    """Convert to the storage type. Raises ConfigError if values are too large for it."""
    if storage == "float32":
        return values
    largest = np.finfo(storage).max
    if np.finfo(values.dtype).max > largest and max(values.max(), -values.min()) > largest:
        raise ConfigError(
            f"retrieval.storage={storage} holds numbers up to {largest:,.0f}, and some of these features are larger: "
            "use float32, or postprocess=l2."
        )
    return values.astype(storage, copy=False)


def check(spec: Any, *names: str) -> None:
    """Raise ConfigError for an invalid word in a field of these names."""
    for name in names:
        word, known = getattr(spec, name), WORDS[name]
        if word not in known:
            raise ConfigError(f"retrieval.{name} cannot be '{word}'{did_you_mean(str(word), known)}")
