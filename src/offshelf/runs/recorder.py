"""What every run records, whatever its task: its config, its data, and where its results are."""

import json
import shlex
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import yaml

from offshelf.dataset import LeftOut
from offshelf.home import home_path
from offshelf.report import flat, left_out_table, write_bytes, write_table, write_text
from offshelf.tracking import Run
from offshelf.tracking.parent import is_job

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
"""PyYAML's dumper of plain values, in C where it has that."""


UI = "offshelf ui"
"""End of a tracker's hint that needs the settings of the run."""


@dataclass(frozen=True)
class RunSummary:
    """What remains of a run that has ended, for whoever started it."""

    title: str
    """Name of the run."""
    id: str
    """Identifier given by the tracker; empty without tracking."""
    folder: Path
    """Output folder."""
    whereabouts: str
    """Sentences that say where the results are and how to look at them."""
    metrics: Mapping[str, float]
    """All numbers of the run, under the names used in MLflow and metrics.json."""
    left_out: tuple[LeftOut, ...]
    """Images that could not be used; not empty only with `on_error=skip`."""


@dataclass(frozen=True)
class RunRecorder(ABC):
    """Writes a run to the tracker and into its output folder.

    Parameters and data come before the work, so that a broken run can be found too; numbers come after it.
    """

    PARTS: ClassVar[tuple[str, ...]]
    """Roles that an image of the data set can have, such as `train` and `test`."""

    run: Run
    images: Any
    """The data set: ImageSet or RetrievalSet."""
    backbone: str
    config: Mapping[str, Any]
    """The resolved config."""
    folder: Path
    """Output folder."""
    left_out: Sequence[LeftOut] = ()
    """Images of the data set that could not be used."""

    @abstractmethod
    def profile(self) -> dict[str, Any]:
        """Return the sizes of the data set."""

    def begin(self, layers: str) -> None:
        """Log what is about to be done."""
        self.run.log(params=self.params(layers))
        self.run.log_text(self.yaml(), "config.yaml")

    def data(self) -> None:
        """Log the images that are used, those left out and why, and those that occur more than once."""
        self.run.log(metrics=self.data_counts(), tags=self.data_tags())
        self.log_dataset(self.run)
        self._table("left_out", left_out_table([*self.images.not_taken, *self.left_out]))
        self._table("same_bytes", self.images.repeats.table)
        known = {
            "name": self.images.name,
            "digest": self.images.digest,
            **self.profile(),
            "notes": list(self.images.notes),
            "not_taken": len(self.images.not_taken),
            **self.data_counts(),
        }
        text = json.dumps(known, indent=2, ensure_ascii=False) + "\n"
        write_text(self.folder / "data.json", text)
        if self.images.notes or self.images.not_taken:  # all else is in the tracker already
            self.run.log_text(text, "data.json")

    def data_tags(self) -> dict[str, str]:
        """Return the tags of a run on these images, this one or one below it."""
        return {"data_digest": self.images.digest, "metric": self.images.metric}

    def log_dataset(self, run: Run) -> None:
        """Log which images are used, in this run or in one below it."""
        run.log_dataset(self.images.name, self.images.digest, "all", self.profile())

    def _table(self, name: str, columns: Mapping[str, Sequence[Any]]) -> None:
        """Write a table to the tracker and the folder, if it has rows."""
        if any(columns.values()):
            self.run.log_table(columns, f"{name}.json")
            write_table(self.folder / f"{name}.csv", columns)

    def figure(self, figure: "Figure", file: str) -> None:
        """Write a plot to the tracker and the folder.

        Raises:
            StoreError: the folder cannot be written.
        """
        data = BytesIO()
        figure.savefig(data, format="png", dpi=120, pil_kwargs={"compress_level": 1})  # speed before size
        write_bytes(self.folder / file, data.getvalue())
        self.run.log_file(self.folder / file)

    def params(self, layers: str) -> dict[str, Any]:
        """Return the leaves of the config, with the names of data set, backbone and layers."""
        return {**flat(self.config), "dataset": self.images.name, "backbone": self.backbone, "layer": layers}

    def data_counts(self) -> dict[str, float]:
        """Return metrics of the data: images that are trained on and tested on, and those that could not be used."""
        roles = [one.role for one in self.left_out]
        parts = {f"data/left_out_{part}": float(sum(part in role for role in roles)) for part in self.PARTS}
        left_out = {"data/left_out": float(len(roles)), **parts} if roles else {}
        repeats: dict[str, float] = self.images.repeats.counts
        return repeats | left_out

    def plot_title(self) -> str:
        """Return the title of plots."""
        return f"{self.images.name}, {self.backbone}"

    def yaml(self) -> str:
        """Return the resolved config as YAML."""
        text: str = yaml.dump(dict(self.config), Dumper=DUMPER, sort_keys=False, allow_unicode=True)
        return text

    def summary(self, title: str, metrics: Mapping[str, float]) -> RunSummary:
        """Return what remains of the run, once it has ended."""
        return RunSummary(title, self.run.id, self.folder, self.whereabouts(), metrics, tuple(self.left_out))

    def whereabouts(self) -> str:
        """Return sentences that say where the results are and how to look at them, unless the sweep says that."""
        hint = next_command(self.run.hint, self.config)
        is_said = is_job() and self.run.hint.endswith(UI)
        return "\n".join(filter(None, [f"Results are in {self.folder}", "" if is_said else hint]))

    def settings(self) -> str:
        """Return the settings that a command needs to find this run."""
        return settings(self.config)


def next_command(hint: str, config: Mapping[str, Any]) -> str:
    """Return what the tracker says can be done next, with the settings that `offshelf ui` needs."""
    return f"{hint}{settings(config)}" if hint.endswith(UI) else hint


def settings(config: Mapping[str, Any]) -> str:
    """Return the settings a command needs to find a run, if they are not the defaults: ` home=… uri=…`."""
    home, tracking = config.get("home"), config.get("tracking") or {}
    words = [f"home={home}"] if home and Path(str(home)).absolute() != home_path() else []
    words += [f"uri={tracking['uri']}"] if tracking.get("uri") else []
    words += [f"experiment={tracking['experiment']}"] if tracking.get("experiment", "offshelf") != "offshelf" else []
    return "".join(f" {shlex.quote(word)}" for word in words)


def run_title(data: str, backbone: str, layers: Sequence[str]) -> str:
    """Return the name of a run that was not given one."""
    return f"{data} {backbone} {layers[0] if len(layers) == 1 else f'{len(layers)} layers'}"


def extraction_cost(extracted: int, seconds: float) -> dict[str, float]:
    """Return the metrics of an extraction."""
    cost = {"cost/images_extracted": float(extracted), "cost/extract_seconds": seconds}
    return cost | ({"cost/images_per_second": extracted / seconds} if extracted else {})
