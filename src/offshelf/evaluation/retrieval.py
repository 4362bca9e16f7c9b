"""From features to rankings to metrics: each query searches all references and is compared with its ground truth."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from offshelf.dataset.retrieval_set import RetrievalSet
from offshelf.errors import DatasetError
from offshelf.evaluation.fused import for_features
from offshelf.extractor import Features
from offshelf.layer_fusion import LayerFusion
from offshelf.metric import Bootstrap
from offshelf.metric.retrieval import RETRIEVAL_METRICS, Ranks, positions
from offshelf.postprocess import Transformer, fit, transform
from offshelf.retrieval import Approximate, Retrieval
from offshelf.retrieval.retrieval import require_vectors
from offshelf.terminal.progress import counting, showing

SHOWN = 10
"""Number of references kept of each ranking."""


@dataclass(frozen=True, eq=False)
class RetrievalScore:
    """Score of one layer's features in retrieval."""

    name: str
    """Name of the layer."""
    dims: int
    """Dimensions of a vector after postprocessing."""
    footprint: tuple[int, int]
    """Numbers, and bytes, kept per reference."""
    metric: str
    """Official metric, after its protocol if there are several: `medium/mAP`."""
    ranks: Mapping[str, Ranks]
    """Ranks of relevant references by protocol; the name of a single protocol is empty."""
    first_QT: np.ndarray
    """Row numbers of the references that each query ranks first, ignored ones among them: int64 [Q, at most SHOWN].

    -1 at the end, if the search found fewer."""
    seconds: float
    """Time for postprocessing, searching and ranking."""
    bootstrap: Bootstrap = field(default_factory=lambda: Bootstrap(0))
    recall: float | None = None
    """Recall of an approximate search: the share of the exact search's first SHOWN that it found; None if exact."""

    @cached_property
    def by_query(self) -> dict[str, np.ndarray]:
        """Every defined metric per query: float64 [Q], NaN for queries without a relevant reference."""
        values = {
            f"{protocol}/{name}" if protocol else name: measure(ranks)
            for protocol, ranks in self.ranks.items()
            for name, measure in RETRIEVAL_METRICS.items()
        }
        return {name: numbers for name, numbers in values.items() if not np.isnan(numbers).all()}

    @cached_property
    def metrics(self) -> Mapping[str, float]:
        """Means over queries with their intervals, costs and the footprint, under the names used in MLflow."""
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
    """How features are scored: transform, search, and intervals of the metrics."""

    postprocess: Transformer
    retrieval: Retrieval
    bootstrap: Bootstrap
    layer_fusion: LayerFusion | None = None
    """How `postprocess` is applied to features that several layers' are concatenated into."""

    def on(self, features: Features) -> "RetrievalProbe":
        """Return the probe whose transform fits these features, fused or not."""
        return replace(self, postprocess=for_features(self.postprocess, self.layer_fusion, features))

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
            name: Name of the layer.
            references_NPD: Features of the references: N images, P views, D dimensions.
            queries_QVD: Features of the queries: Q images, V views, D dimensions.
            images: The references, the queries and the ground truth.
            fit_features_MPD: Features that postprocessing is fitted on; None: those of the references.

        Raises:
            ConfigError: there are no references or no queries.
            DatasetError: the official metric is defined for no query.
        """
        require_vectors(references_NPD, queries_QVD)
        start = time.perf_counter()
        fitted = fit(self.postprocess, references_NPD if fit_features_MPD is None else fit_features_MPD)
        references, queries = transform(fitted, references_NPD), transform(fitted, queries_QVD)
        with showing(name):
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
    """Return the ranks of relevant references by protocol, and the first references of each ranking."""
    found: dict[str, list[np.ndarray]] = {protocol: [] for protocol in images.truths}
    first: list[np.ndarray] = []
    with counting("queries", len(queries)) as counter:
        for block in retrieval.similarities(references, queries):
            for number in range(len(block)):
                asked = [truths[len(first)] for truths in images.truths.values()]
                among = np.unique(np.concatenate([np.empty(0, np.int64), *(truth.relevant for truth in asked)]))
                row_N = block[number] if isinstance(block, np.ndarray) else block.row(number, among, SHOWN)
                for protocol, truth in zip(images.truths, asked, strict=True):
                    found[protocol].append(positions(row_N, truth))
                nearest = largest(row_N, SHOWN)
                first.append(np.where(row_N[nearest] > -np.inf, nearest, -1))
                counter.advance()
    ranks = {protocol: Ranks.of(found[protocol], truths) for protocol, truths in images.truths.items()}
    return ranks, np.array(first)


def _shared(found_QT: np.ndarray, exact_QT: np.ndarray) -> float:
    """Return the share of the exact search's references that were found; -1 stands for a reference not found."""
    return float(np.mean([np.isin(*pair).mean() for pair in zip(exact_QT, found_QT, strict=True)]))


def largest(values_N: np.ndarray, count: int) -> np.ndarray:
    """Return the rows of the `count` largest values, int64, largest first; equal values in the order of their rows."""
    count = min(count, len(values_N))
    least = np.partition(values_N, len(values_N) - count)[len(values_N) - count]
    rivals = np.flatnonzero(values_N >= least)
    return rivals[np.argsort(-values_N[rivals], kind="stable")][:count]
