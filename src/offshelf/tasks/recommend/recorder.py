"""Recording a recommendation: a parent run with the table, and a child run per candidate."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from typing_extensions import override

from offshelf.dataset import ImageSet
from offshelf.report import LeaderboardRow, leaderboard_columns, write_table, write_text
from offshelf.report.notes import recommendation_note
from offshelf.runs.recorder import RunRecorder
from offshelf.tasks.recommend.candidate import Skipped
from offshelf.tasks.recommend.race import Contender
from offshelf.tracking.note import NOTE_TAG

TABLE = "recommendation"


@dataclass(frozen=True)
class RecommendationRecorder(RunRecorder):
    """Recorder of a recommendation; its images are the training images."""

    PARTS = ("train",)

    images: ImageSet

    @override
    def profile(self) -> dict[str, Any]:
        images = self.images
        classes = {} if images.kind == "number" else {"classes": len(images.classes)}
        return {"images": len(images.samples), **classes}

    def end(self, ranking: Sequence[Contender], skipped: Sequence[Skipped], command: str) -> dict[str, float]:
        """Log and write the results; `command`, unless empty, runs the winner in full. Returns the winner's metrics."""
        for number, contender in enumerate(ranking, 1):
            self._candidate(number, contender)
        rows = leaderboard(ranking)
        columns = leaderboard_columns(rows, self.images.metric)
        left = {"backbone": [one.name for one in skipped], "why": [one.why for one in skipped]}
        best = ranking[0]
        found = {"best_backbone": best.candidate.name, "best_layer": best.layer, "command": command}
        found[NOTE_TAG] = recommendation_note(rows, self.images.metric, self.images)
        metrics = _metrics(best)
        self.run.log(metrics=metrics, tags={name: value for name, value in found.items() if value})
        self.run.log_table(columns, f"{TABLE}.json")
        write_table(self.folder / f"{TABLE}.csv", columns)
        write_text(self.folder / "config.yaml", self.yaml())
        if skipped:
            self.run.log_table(left, "not_tried.json")
            write_table(self.folder / "not_tried.csv", left)
        return metrics

    def _candidate(self, rank: int, contender: Contender) -> None:
        params = {
            **self.params(contender.layer),
            "backbone": contender.candidate.name,
            "dims": contender.scores[-1].dims,
            "images": contender.images,
        }
        with self.run.child(f"{contender.candidate.name} {contender.layer}") as child:
            child.log(
                params,
                _metrics(contender) | {"rank": float(rank)},
                self.data_tags() | ({"dropped": contender.status} if contender.status else {}),
            )
            self.log_dataset(child)


def leaderboard(ranking: Sequence[Contender]) -> list[LeaderboardRow]:
    """Return the rows of the table."""
    return [
        LeaderboardRow(
            contender.candidate.name,
            contender.layer,
            contender.value,
            contender.interval,
            contender.images,
            contender.rate,
            contender.bytes_per_image,
            contender.status,
        )
        for contender in ranking
    ]


def _metrics(contender: Contender) -> dict[str, float]:
    metric = contender.scores[-1].metric
    numbers = {f"cv/{metric}": contender.value}
    if contender.interval:
        numbers |= {f"cv/{metric}_low": contender.interval.low, f"cv/{metric}_high": contender.interval.high}
    numbers |= {f"cv/{metric}/round_{number}": value for number, value in enumerate(contender.by_round, 1)}
    cost = {"cost/images_per_second": contender.rate, "cost/bytes_per_image": float(contender.bytes_per_image)}
    return numbers | cost
