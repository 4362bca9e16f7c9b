"""What every run writes down, whatever its task: its config, its data, where its results are."""

import json
import shlex
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from offshelf.dataset import ImageSet, LeftOut, RetrievalSet
from offshelf.home import home_path
from offshelf.report import flat, left_out_table, write_bytes, write_table, write_text
from offshelf.tracking import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class DataCard:
    """What is on record of a data set."""

    name: str
    digest: str
    metric: str
    """The official one."""
    parts: tuple[str, ...]
    """What an image can be of it: `train`, `test`."""
    profile: Mapping[str, Any]
    """Sizes."""
    images: ImageSet | RetrievalSet
    """The set itself, for what is known of it once its images were read."""


@dataclass(frozen=True)
class Logbook:
    """Writes to the tracker and into the output folder: what is known before the work comes first."""

    run: Run
    data: DataCard
    backbone: str
    config: Mapping[str, Any]
    """The resolved config."""
    folder: Path
    left_out: Sequence[LeftOut] = ()
    """Images of the data set that could not be used."""

    def begin(self, layers: Sequence[str]) -> None:
        """Log what is about to be done."""
        self.run.log(params=self.params(", ".join(layers)))
        self.run.log_text(self.yaml(), "config.yaml")

    def log_data(self, run: Run | None = None) -> None:
        """Log the images that are used, to a child run as to this one."""
        (run or self.run).log(tags=self.tags())
        (run or self.run).log_dataset(self.data.name, self.data.digest, "all", self.data.profile)

    def log_found(self) -> None:
        """Log what was found: the images that are used, what is not and why, and what is there more than once."""
        self.run.log(metrics=self.data_counts())
        self._table("left_out", left_out_table([*self.data.images.not_taken, *self.left_out]))
        self._table("same_bytes", self.data.images.repeats.table)
        known = {
            "name": self.data.name,
            "digest": self.data.digest,
            **self.data.profile,
            "notes": list(self.data.images.notes),
            "not_taken": len(self.data.images.not_taken),
            **self.data_counts(),
        }
        text = json.dumps(known, indent=2, ensure_ascii=False) + "\n"
        write_text(self.folder / "data.json", text)
        if self.data.images.notes or self.data.images.not_taken:  # all else is in the tracker already
            self.run.log_text(text, "data.json")

    def _table(self, name: str, columns: Mapping[str, Sequence[Any]]) -> None:
        """A table in both places, where it has rows."""
        if any(columns.values()):
            self.run.log_table(columns, f"{name}.json")
            write_table(self.folder / f"{name}.csv", columns)

    def figure(self, figure: "Figure", file: str) -> None:
        """Keep a plot in both places.

        Raises:
            StoreError: the folder cannot be written.
        """
        data = BytesIO()
        figure.savefig(data, format="png", dpi=120, pil_kwargs={"compress_level": 1})  # speed before size
        write_bytes(self.folder / file, data.getvalue())
        self.run.log_file(self.folder / file)

    def params(self, layers: str) -> dict[str, Any]:
        """The config's leaves, and what a person looks for."""
        return {**flat(self.config), "dataset": self.data.name, "backbone": self.backbone, "layer": layers}

    def tags(self) -> dict[str, str]:
        """What runs on the same data have in common."""
        return {"data_digest": self.data.digest, "metric": self.data.metric}

    def data_counts(self) -> dict[str, float]:
        """Metrics of the data: images that are known in testing already, and those that could not be used, if any."""
        roles = [one.role for one in self.left_out]
        parts = {f"data/left_out_{part}": float(sum(part in role for role in roles)) for part in self.data.parts}
        left_out = {"data/left_out": float(len(roles)), **parts} if roles else {}
        return self.data.images.repeats.counts | left_out

    def title(self) -> str:
        """Of a plot."""
        return f"{self.data.name}, {self.backbone}"

    def yaml(self) -> str:
        """The resolved config."""
        return yaml.safe_dump(dict(self.config), sort_keys=False, allow_unicode=True)

    def whereabouts(self) -> str:
        """Where to look next."""
        hint = f"{self.run.hint}{self.settings()}" if self.run.hint.endswith("offshelf ui") else self.run.hint
        return "\n".join(filter(None, [f"Results are in {self.folder}", hint]))

    def settings(self) -> str:
        """What a command needs to find this run, where that is not what it has by default: ` home=… uri=…`."""
        home, tracking = self.config.get("home"), self.config.get("tracking") or {}
        words = [f"home={home}"] if home and Path(str(home)).absolute() != home_path() else []
        words += [f"uri={tracking['uri']}"] if tracking.get("uri") else []
        words += (
            [f"experiment={tracking['experiment']}"] if tracking.get("experiment", "offshelf") != "offshelf" else []
        )
        return "".join(f" {shlex.quote(word)}" for word in words)


@dataclass(frozen=True)
class RunRecord(ABC):
    """Writes down a run: parameters and data before the work, so that a broken run can be found too, numbers after."""

    run: Run
    images: Any
    """The data set."""
    backbone: str
    config: Mapping[str, Any]
    """The resolved config."""
    folder: Path
    left_out: Sequence[LeftOut] = ()
    """Images of the data set that could not be used."""

    @property
    @abstractmethod
    def card(self) -> DataCard:
        """What is on record of the data set."""

    @property
    def book(self) -> Logbook:
        """What it has in common with the record of any run."""
        return Logbook(self.run, self.card, self.backbone, self.config, self.folder, self.left_out)

    def begin(self, layers: Sequence[str]) -> None:
        """Log what is about to be done."""
        self.book.begin(layers)

    def data(self) -> None:
        """Log the images that are used, what is not, and what was found odd."""
        self.book.log_data()
        self.book.log_found()

    def whereabouts(self) -> str:
        """Where to look next."""
        return self.book.whereabouts()


def run_title(data: str, backbone: str, layers: Sequence[str]) -> str:
    """What a run is called that has no name of its own."""
    return f"{data} {backbone} {layers[0] if len(layers) == 1 else f'{len(layers)} layers'}"


def extraction_cost(extracted: int, seconds: float) -> dict[str, float]:
    """Metrics of what it took to have the features."""
    cost = {"cost/images_extracted": float(extracted), "cost/extract_seconds": seconds}
    return cost | ({"cost/images_per_second": extracted / seconds} if extracted else {})
