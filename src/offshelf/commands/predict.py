"""`offshelf predict`: classes of other images, by a run's model."""

import argparse
import glob
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from offshelf.commands.arguments import Parser, divide
from offshelf.commands.result import CommandResult
from offshelf.commands.standard_output import is_for_json
from offshelf.config import components
from offshelf.config.trust import Trust
from offshelf.dataset import ImageFile, ImageSet, Sample, check_images, image_files
from offshelf.dataset.kind import is_named_image
from offshelf.dataset.remote.file import Place, place
from offshelf.dataset.remote.versions import with_versions
from offshelf.errors import ConfigError, DatasetError
from offshelf.model import Model, columns, records
from offshelf.names import visible
from offshelf.remote import Url, is_url
from offshelf.report import csv_text, write_text
from offshelf.runs.recorded import RecordedRun
from offshelf.serving.predictor import Predictor, require_made
from offshelf.store import FeatureStore
from offshelf.tasks.on_error import skip_unreadable
from offshelf.terminal import say
from offshelf.tracking.mlflow.reading import SETTINGS

SUFFIXES = (".csv", ".json")


def main(arguments: Sequence[str]) -> CommandResult:
    """Predict the classes of images, and print or write them.

    Raises:
        ConfigError: an argument is misspelt, or the run's record names code that is not trusted.
        TrackingError: there is no such run.
        ModelError: it kept no model, or its network is not what it was.
        DatasetError: there are no such images.
    """
    options = _parser().parse_intermixed_args(arguments)
    if options.out and Path(options.out).suffix not in SUFFIXES:
        raise ConfigError(f"--out is a .csv or .json file; got '{options.out}'.")
    known = {**SETTINGS, "trust": "", "on_error": "stop", "probabilities": "", "store.root": ""}
    words, settings = divide(options.images, known)
    root, on_error, probabilities = settings.pop("store.root"), settings.pop("on_error"), settings.pop("probabilities")
    if probabilities not in ("", "true", "false"):
        raise ConfigError(f"probabilities is true or false; got '{probabilities}'.")
    trust = Trust.of(settings.pop("trust"))
    past = RecordedRun.find(options.run, **settings).storing(settings["home"], root)
    predictor = Predictor.of(past.config, past.model(), trust)
    if probabilities == "true":
        predictor.model.probabilities(np.empty((0, len(predictor.model.classes))))  # refuses before any work
    store = require_made(components(past.config, ("store",), trust))["store"]
    found = [predictor.file(path) for word in words for path in paths(word)]
    names, scores = predict(predictor, list(dict.fromkeys(found)), store, on_error)
    likely = probabilities == "true" or (not probabilities and predictor.model.calibration is not None)
    answer = Answer(predictor.model, names, scores, likely)
    _hand_over(options.out, answer)
    return CommandResult({"run": past.id, "name": past.name, "images": answer.records()})


def paths(word: str) -> Sequence[Place]:
    """Return image files of a file name, a folder (all below it, sorted), or a pattern (`**` crosses folders).

    An address is of an image if its name is that of one, and of a folder else.

    Raises:
        DatasetError: there are none.
    """
    if is_url(word):
        url = Url.of(word)
        return with_versions([place(word)]) if url.is_site or is_named_image(url.name) else image_files(url)
    path = Path(word).expanduser()
    found: Sequence[Place]
    if path.is_dir():
        found = image_files(path)
    elif path.exists() or not glob.has_magic(word):
        return [path]  # a file that is missing is named with all others that cannot be read
    else:
        matches = map(Path, glob.glob(str(path), recursive=True))  # noqa: PTH207 - pathlib takes relative patterns alone
        found = sorted(match for match in matches if match.is_file())
    if not found:
        raise DatasetError(f"There are no images at {word}.")
    return found


def predict(
    predictor: Predictor, images: Sequence[ImageFile], store: FeatureStore, on_error: str = "stop"
) -> tuple[list[str], np.ndarray]:
    """Return the names of the images and their scores of classes, float64 [N, K].

    Raises:
        BadImagesError: images that cannot be read, unless `on_error` is `skip`: they are then left out, with a warning.
    """
    samples = [Sample(str(image), image, 0) for image in images]

    def work(usable: ImageSet) -> np.ndarray:
        check_images(usable.pictures)
        blocks = list(predictor.scores(usable.pictures, store))
        return np.concatenate([*blocks, np.empty((0, len(predictor.model.classes)))])

    usable, _, scores = skip_unreadable(ImageSet("images", predictor.model.classes, samples, ()), on_error, work)
    return [sample.id for sample in usable.samples], scores


@dataclass(frozen=True, eq=False)
class Answer:
    """Predictions of a model for images; see `columns` and `records`."""

    model: Model
    names: Sequence[str]
    scores_NK: np.ndarray
    probabilities: bool

    def csv(self) -> str:
        """Return a table of the images as CSV."""
        return csv_text(columns(self.model, self.names, self.scores_NK, self.probabilities))

    def records(self) -> list[dict[str, Any]]:
        """Return a record for each image."""
        return records(self.model, self.names, self.scores_NK, self.probabilities)

    def json(self) -> str:
        """Return the records as JSON."""
        return json.dumps(self.records(), indent=1, ensure_ascii=False) + "\n"


def _hand_over(out: str | None, answer: Answer) -> None:
    if out is None:
        if not is_for_json():
            print(visible(answer.csv()) if sys.stdout.isatty() else answer.csv(), end="")
        return
    write_text(Path(out), answer.json() if Path(out).suffix == ".json" else answer.csv())
    say(f"{len(answer.names):,} image(s): written to {out}")


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="offshelf predict", description=__doc__)
    parser.add_argument("run", help="id (its first letters), name, or output folder", metavar="RUN")
    parser.add_argument(
        "images",
        nargs="+",
        help="files, folders, patterns; home=DIR, store.root=DIR, on_error=skip, probabilities=true, trust=PACKAGE",
        metavar="IMAGES|key=value",
    )
    parser.add_argument("--out", help=f"a file to write instead of printing: {', '.join(SUFFIXES)}", metavar="FILE")
    return parser
