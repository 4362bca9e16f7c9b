"""`load`: a run that was recorded earlier."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any

from offshelf.api.prediction import Classes, predict
from offshelf.api.report import Report
from offshelf.api.results import Recommended
from offshelf.api.run import Done, writing
from offshelf.api.verbs import classification, retrieval_result
from offshelf.commands.inspect import GROUPS as INSPECTED
from offshelf.commands.inspect import reported_layer
from offshelf.config import components, run_recorded
from offshelf.config.recorded_config import recorded_tracker, require_secrets
from offshelf.config.trust import Trust
from offshelf.runs.recorded import RecordedRun
from offshelf.serving.predictor import Predictor, require_made
from offshelf.tasks.results import ClassificationResult, RetrievalResult
from offshelf.terminal import discard
from offshelf.tracking import NoTracking, RecordingTracker, Tracker

if TYPE_CHECKING:
    from pandas import DataFrame

    from offshelf.api.inspecting import Inspected

GROUPS = ("augmentation", "backbone", "extractor", "store")
"""Components by which a run predicts."""


class LoadedRun:
    """A run that was recorded earlier: its numbers, its config, and its model."""

    def __init__(self, past: RecordedRun, trust: Trust, folder: Path, *, home: str = "", uri: str = "") -> None:
        """Wrap a record.

        Args:
            past: The record.
            trust: What it may name.
            folder: What it was found in, where it was an output folder.
            home: The home that it was looked for in.
            uri: The server that the user has named.
        """
        self._past, self._trust, self.folder, self._home, self._uri = past, trust, folder, home, uri

    @property
    def name(self) -> str:
        """The name of the run, or of its output folder."""
        return self._past.name

    @property
    def run_id(self) -> str:
        """The identifier given by the tracker; empty for an output folder."""
        return self._past.id

    @property
    def config(self) -> Mapping[str, Any]:
        """The resolved config, with paths in the home as they are now."""
        return self._past.config

    @property
    def metrics(self) -> Mapping[str, float]:
        """All numbers of the run."""
        return self._past.metrics

    def predict(self, images: Any, *, probabilities: bool | None = None, progress: bool = False) -> "DataFrame":
        """Return the classes of images by the run's model, as `offshelf predict` does; see `Classification.predict`.

        Raises:
            BadImagesError: images that cannot be used.
            ModelError: the run kept no model, or its network has changed.
            ConfigError: its record names code that is not trusted.
        """
        return predict(self._classes, images, probabilities, progress)

    def report(self) -> Report:
        """Return the page of the run, which a notebook shows; see `Classification.report`.

        Raises:
            ConfigError: the run has none.
        """
        return Report(self._past.report())

    def rerun(self, *, tracking: bool = False, output_dir: str | Path | None = None, progress: bool = False) -> Any:
        """Run the same config again, and return the result, as `offshelf rerun` does.

        Args:
            tracking: Whether the new run is tracked where the old one was, with its id as the tag `rerun_of`. A server
                or database gets it only if it was named by `load(…, uri=…)`.
            output_dir: A folder for the results; without, a temporary one that goes with the result.
            progress: Whether to show progress bars.

        Returns:
            A `Classification`, `Retrieval` or `Recommended`.

        Raises:
            ConfigError: the config does not fit this release, had secrets, names code that is not trusted, or a server
                that was not named.
            OffshelfError: the run fails.
        """
        require_secrets(self.config)
        tracker: Tracker = NoTracking()
        if tracking:
            tracker = recorded_tracker(self.config, self._home, self._uri, self._trust)
        followed = RecordingTracker(tracker, {"rerun_of": self.run_id or self.name})
        scratch = None if output_dir else Path(mkdtemp(prefix="offshelf-"))
        folder = Path(output_dir).expanduser().absolute() if output_dir else scratch
        assert folder
        with writing(folder, scratch, progress):
            result = run_recorded(self.config, folder, followed, self._trust, discard)
        parts = {
            **components(self.config, INSPECTED, self._trust),
            "pooling": self.config.get("pooling", "auto"),
        }
        done = Done(result, dict(self.config), parts, scratch)
        if isinstance(result, ClassificationResult):
            return classification(done)
        return retrieval_result(done) if isinstance(result, RetrievalResult) else done.as_a(Recommended)

    def inspect(self, *, layer: str = "", output_dir: str | Path | None = None, progress: bool = False) -> "Inspected":
        """Return what is wrong with the data of the run, by its features, as `offshelf inspect RUN` does.

        Args:
            layer: A layer to use instead of the reported one.
            output_dir: A folder for the page and the tables; without, a temporary one that goes with the result.
            progress: Whether to show progress bars.

        Raises:
            ConfigError: as `rerun`; or the run kept no model, which names the reported one of several layers.
            OffshelfError: the inspection fails.
        """
        from offshelf.api.inspecting import inspect_result

        require_secrets(self.config)
        parts = components(self.config, INSPECTED, self._trust)
        return inspect_result(parts, self.config, layer or reported_layer(self._past), output_dir, progress)

    @cached_property
    def _classes(self) -> Classes:
        predictor = Predictor.of(self.config, self._past.model(), self._trust)
        store = require_made(components(self.config, ("store",), self._trust))["store"]
        return Classes(predictor, store)

    def __repr__(self) -> str:
        return f"<run {self.name}{f' ({self.run_id[:8]})' if self.run_id else ''}: {len(self.metrics)} metrics>"


def load(
    run: str | Path, *, home: str = "", uri: str = "", experiment: str = "offshelf", trust: str | Sequence[str] = ()
) -> LoadedRun:
    """Return a run that was recorded earlier.

    Args:
        run: Its id or the first letters of it, its name (the newest of that name), or an output folder.
        home: The home whose runs are searched; empty: as on the command line.
        uri: Address of an MLflow server, if the runs are on one.
        experiment: The MLflow experiment.
        trust: Packages whose code its config may run, beside offshelf's and scikit-learn's.

    Raises:
        TrackingError: there is no such run, or several.
        ConfigError: its record cannot be read.
    """
    trusted = trust if isinstance(trust, str) else ",".join(trust)
    past = RecordedRun.find(str(run), home, uri, experiment).storing(home, "")
    return LoadedRun(past, Trust.of(trusted), Path(run).expanduser(), home=home, uri=uri)
