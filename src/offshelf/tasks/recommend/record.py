"""The record of a recommendation: a parent run with the table, a child for each candidate."""

from collections.abc import Sequence
from dataclasses import dataclass

from offshelf.dataset import ImageSet
from offshelf.report import Standing, standing_columns, write_table, write_text
from offshelf.runs.recorder import DataCard, RunRecord
from offshelf.tasks.recommend.candidate import Aside
from offshelf.tasks.recommend.race import Entry

TABLE = "recommendation"


@dataclass(frozen=True)
class Record(RunRecord):
    """See RunRecord; the images are the training images."""

    images: ImageSet

    @property
    def card(self) -> DataCard:
        """See RunRecord."""
        profile = {"images": len(self.images.samples), "classes": len(self.images.classes)}
        return DataCard(self.images.name, self.images.digest, self.images.metric, ("train",), profile, self.images)

    def end(self, ranking: Sequence[Entry], aside: Sequence[Aside], command: str) -> dict[str, float]:
        """Log and write the results; `command`, unless empty, runs the winner in full. Returns the winner's metrics."""
        for number, entry in enumerate(ranking, 1):
            self._candidate(number, entry)
        columns = standing_columns(standings(ranking), self.images.metric)
        left = {"backbone": [one.name for one in aside], "why": [one.why for one in aside]}
        best = ranking[0]
        found = {"best_backbone": best.candidate.name, "best_layer": best.layer, "command": command}
        metrics = _metrics(best)
        self.run.log(metrics=metrics, tags={name: value for name, value in found.items() if value})
        self.run.log_table(columns, f"{TABLE}.json")
        write_table(self.folder / f"{TABLE}.csv", columns)
        write_text(self.folder / "config.yaml", self.book.yaml())
        if aside:
            self.run.log_table(left, "not_tried.json")
            write_table(self.folder / "not_tried.csv", left)
        return metrics

    def _candidate(self, rank: int, entry: Entry) -> None:
        params = {
            **self.book.params(entry.layer),
            "backbone": entry.candidate.name,
            "dims": entry.scores[-1].dims,
            "images": entry.images,
        }
        with self.run.child(f"{entry.candidate.name} {entry.layer}") as child:
            child.log(params, _metrics(entry) | {"rank": float(rank)}, {"dropped": entry.out} if entry.out else {})
            self.book.log_data(child)


def standings(ranking: Sequence[Entry]) -> list[Standing]:
    """As a person sees them."""
    return [
        Standing(
            entry.candidate.name,
            entry.layer,
            entry.value,
            entry.interval,
            entry.images,
            entry.rate,
            entry.bytes_per_image,
            entry.out,
        )
        for entry in ranking
    ]


def _metrics(entry: Entry) -> dict[str, float]:
    metric = entry.scores[-1].metric
    numbers = {f"cv/{metric}": entry.value}
    if entry.interval:
        numbers |= {f"cv/{metric}_low": entry.interval.low, f"cv/{metric}_high": entry.interval.high}
    numbers |= {f"cv/{metric}/round_{number}": value for number, value in enumerate(entry.by_round, 1)}
    cost = {"cost/images_per_second": entry.rate, "cost/bytes_per_image": float(entry.bytes_per_image)}
    return numbers | cost
