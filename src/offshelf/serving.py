"""`offshelf export`: a run as an MLflow model, and what that model answers."""

import argparse
import base64
import binascii
import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import yaml

from offshelf.arguments import Parser, divide
from offshelf.dataset import Image, ImageArray, ImageBytes, ImageFile
from offshelf.errors import ImageError
from offshelf.model import FILE, records
from offshelf.past import CONFIG, PastRun
from offshelf.predictor import Predictor
from offshelf.store import MemoryStore
from offshelf.tracking.reading import SETTINGS


def main(arguments: Sequence[str]) -> int:
    """Write a run as an MLflow model.

    Raises:
        ConfigError: an argument is misspelt.
        ModelError: the run kept no model, or its network is not what it was.
        TrackingError: there is no such run, or the folder cannot be written.
    """
    options = _parser().parse_args(arguments)
    _, where = divide(options.settings, SETTINGS)
    past = PastRun.find(options.run, **where)
    write_model(past, Path(options.folder))
    print(f"Serve it with: mlflow models serve --env-manager local -m {options.folder}")
    return 0


def write_model(past: PastRun, folder: Path) -> None:
    """Write a run as an MLflow model into a folder that is made.

    Raises:
        ModelError: the run kept no model, or its network is not what it was.
        TrackingError: the folder cannot be written.
    """
    from offshelf.tracking.exporting import save_pyfunc

    Predictor.of(past.config, past.model())  # refuses a network that has changed
    with TemporaryDirectory() as place:
        files = {"config": Path(place) / CONFIG, "model": Path(place) / FILE}
        files["config"].write_text(yaml.safe_dump(past.config, allow_unicode=True), encoding="utf-8")
        files["model"].write_bytes(past.read(FILE) or b"")
        script = Path(__file__).with_name("pyfunc.py")
        save_pyfunc(folder, script, files, [f"offshelf=={version('offshelf')}"])


@dataclass(frozen=True, eq=False)
class Service:
    """A run's model with its network, for requests."""

    predictor: Predictor

    @staticmethod
    def of(folder: Path) -> "Service":
        """From a folder with a run's config and model. Raises as `Predictor.of`."""
        past = PastRun.find(str(folder))
        return Service(Predictor.of(past.config, past.model()))

    def warm_up(self) -> None:
        """Build the network, so that no request waits for it."""
        list(self.predictor.scores([ImageArray(np.zeros((8, 8, 3), np.uint8))], MemoryStore()))

    def answer(self, given: Sequence[bytes | str], probabilities: bool = False) -> list[dict[str, Any]]:
        """For each image its class and score, or its labels, and the scores of all.

        Args:
            given: Bytes of image files, or as text: a path, a `data:` URL, or base64.
            probabilities: Whether those of all classes are given too.

        Raises:
            ImageError: an image that is none of these, or cannot be read.
            ModelError: the model has no probabilities.
        """
        images = [self._image(one) for one in given]
        scores = np.concatenate(list(self.predictor.scores(images, MemoryStore())))
        return records(self.predictor.model, [str(image) for image in images], scores, probabilities)

    def _image(self, given: bytes | str) -> Image:
        background = self.predictor.background
        if isinstance(given, bytes):
            return ImageBytes(given, background)
        if os.path.isfile(given):  # noqa: PTH113 - pathlib raises where base64 is too long for a path
            return ImageFile(Path(given), background)
        try:
            text = given.partition(",")[2] if given.startswith("data:") else given
            return ImageBytes(base64.b64decode(text, validate=True), background)
        except binascii.Error as error:
            raise ImageError(f"'{given[:40]}' is neither a file, a data: URL, nor base64.") from error


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="offshelf export", description=__doc__)
    parser.add_argument("run", help="id (its first letters), name, or output folder", metavar="RUN")
    parser.add_argument("folder", help="to be made", metavar="DIR")
    parser.add_argument("settings", nargs="*", help="home=DIR", metavar="home=DIR")
    return parser
