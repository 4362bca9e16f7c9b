"""From features to rankings to numbers: each query searches all references, and is judged by what it should find."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from offshelf.dataset.retrieval import RetrievalSet
from offshelf.errors import DatasetError
from offshelf.metric import Bootstrap
from offshelf.metric.retrieval import RETRIEVAL_METRICS, Ranks, positions
from offshelf.postprocess import Transformer, fit, transform
from offshelf.retrieval import Approximate, Retrieval

SHOWN = 10
"""References whose rows are kept of each ranking."""


@dataclass(frozen=True, eq=False)
class RetrievalScore:
    """What one layer's features find."""

    name: str
    """The layer's name."""
    dims: int
    """Of a vector as it is searched."""
    footprint: tuple[int, int]
    """Numbers, and bytes, kept of each reference."""
    metric: str
    """The official one, after its protocol where there are several: `medium/mAP`."""
    ranks: Mapping[str, Ranks]
    """By protocol, "" where there is one alone."""
    first_QT: np.ndarray
    """Row numbers of the references that each query ranks first, ignored ones among them: int64 [Q, at most SHOWN].

    -1 at the end, where the search has found fewer."""
    seconds: float
    """Postprocessing, searching and ranking."""
    bootstrap: Bootstrap = field(default_factory=lambda: Bootstrap(0))
    recall: float | None = None
    """Of an approximate search: the share of the exact one's first SHOWN that are among its own."""

    @cached_property
    def by_query(self) -> dict[str, np.ndarray]:
        """Every metric that is defined, a number a query: float64 [Q], NaN for a query that has nothing to find."""
        values = {
            f"{protocol}/{name}" if protocol else name: measure(ranks)
            for protocol, ranks in self.ranks.items()
            for name, measure in RETRIEVAL_METRICS.items()
        }
        return {name: numbers for name, numbers in values.items() if not np.isnan(numbers).all()}

    @cached_property
    def metrics(self) -> Mapping[str, float]:
        """Means over queries with their intervals, costs and the footprint, under the names that go to MLflow."""
        names, values_QK = list(self.by_query), np.stack(list(self.by_query.values()), axis=1)
        numbers: dict[str, float] = {}
        intervals = self.bootstrap.mean_intervals(values_QK)
        for name, mean, interval in zip(names, np.nanmean(values_QK, axis=0), intervals, strict=True):
            numbers[f"test/{name}"] = float(mean)
            if interval:
                numbers |= {f"test/{name}_low": interval.low, f"test/{name}_high": interval.high}
        floats, size = self.footprint
        if self.recall is not None:
            numbers[f"search/recall_at_{SHOWN}"] = self.recall
        cost = {"cost/search_seconds": self.seconds}
        return numbers | cost | {"footprint/floats": float(floats), "footprint/bytes": float(size)}


@dataclass(frozen=True)
class RetrievalProbe:
    """How features are judged."""

    postprocess: Transformer
    retrieval: Retrieval
    bootstrap: Bootstrap

    def score(
        self,
        name: str,
        references_NPD: np.ndarray,
        queries_QVD: np.ndarray,
        images: RetrievalSet,
        fit_features_MPD: np.ndarray | None = None,
    ) -> RetrievalScore:
        """Search with one layer's features, in the order of the references and of the queries.

        Args:
            name: The layer's.
            references_NPD: Features of all views of the references.
            queries_QVD: Of the queries.
            images: What is searched, and what should be found.
            fit_features_MPD: Features that postprocessing is fitted on; None: those of the references.

        Raises:
            DatasetError: the official metric is defined for no query.
        """
        start = time.perf_counter()
        fitted = fit(self.postprocess, references_NPD if fit_features_MPD is None else fit_features_MPD)
        references, queries = transform(fitted, references_NPD), transform(fitted, queries_QVD)
        ranks, first = _rank(self.retrieval, references, queries, images)
        seconds = time.perf_counter() - start
        dims, footprint = references.shape[2], self.retrieval.footprint(*references.shape[1:])
        recall = None
        if isinstance(self.retrieval, Approximate):
            exact = _rank(self.retrieval.exact, references, queries, replace(images, truths={}))[1]
            recall = _shared(first, exact)
        score = RetrievalScore(name, dims, footprint, images.metric, ranks, first, seconds, self.bootstrap, recall)
        if images.metric not in score.by_query:
            raise DatasetError(f"{images.metric} is not defined on {images.name}: no query has anything to find.")
        return score


def _rank(
    retrieval: Retrieval, references: np.ndarray, queries: np.ndarray, images: RetrievalSet
) -> tuple[dict[str, Ranks], np.ndarray]:
    """Where the relevant references are, by protocol, and the first of each ranking."""
    found: dict[str, list[np.ndarray]] = {protocol: [] for protocol in images.truths}
    first: list[np.ndarray] = []
    for block in retrieval.similarities(references, queries):
        for number in range(len(block)):
            asked = [truths[len(first)] for truths in images.truths.values()]
            among = np.unique(np.concatenate([np.empty(0, np.int64), *(truth.relevant for truth in asked)]))
            row_N = block[number] if isinstance(block, np.ndarray) else block.row(number, among, SHOWN)
            for protocol, truth in zip(images.truths, asked, strict=True):
                found[protocol].append(positions(row_N, truth))
            nearest = largest(row_N, SHOWN)
            first.append(np.where(row_N[nearest] > -np.inf, nearest, -1))
    ranks = {protocol: Ranks.of(found[protocol], truths) for protocol, truths in images.truths.items()}
    return ranks, np.array(first)


def _shared(found_QT: np.ndarray, exact_QT: np.ndarray) -> float:
    """Share of the exact search's that were found; what was not found is -1, and no row's number."""
    return float(np.mean([np.isin(*pair).mean() for pair in zip(exact_QT, found_QT, strict=True)]))


def largest(values_N: np.ndarray, count: int) -> np.ndarray:
    """Rows of the `count` largest, or all there are, the largest first, of equals the first row: int64."""
    count = min(count, len(values_N))
    least = np.partition(values_N, len(values_N) - count)[len(values_N) - count]
    rivals = np.flatnonzero(values_N >= least)
    return rivals[np.argsort(-values_N[rivals], kind="stable")][:count]
