"""`offshelf export`: a run as an MLflow model or an ONNX file, and what the former answers."""

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
from offshelf.dataset import Image, ImageArray
from offshelf.errors import ConfigError, ImageError
from offshelf.model import FILE, records
from offshelf.past import CONFIG, PastRun
from offshelf.predictor import Predictor
from offshelf.store import MemoryStore
from offshelf.tracking.reading import SETTINGS

ONNX = ".onnx"


def main(arguments: Sequence[str]) -> int:
    """Write a run as an MLflow model into a folder, or as an ONNX file where the target is named so.

    Raises:
        ConfigError: an argument is misspelt, the ONNX file is there already, or a package for it is missing.
        ModelError: the run kept no model, its network is not what it was, or a part of it cannot be in an ONNX file.
        BackboneError: its network cannot be in an ONNX file.
        TrackingError: there is no such run, or the folder cannot be written.
    """
    options = _parser().parse_args(arguments)
    surplus, where = divide(options.settings, SETTINGS)
    if surplus:
        raise ConfigError(f"offshelf export has no setting '{surplus[0]}'. It takes home=, uri=, experiment=")
    past, target = PastRun.find(options.run, **where), Path(options.target).expanduser()
    if target.suffix == ONNX:
        _write_onnx(past, target)
        return 0
    write_model(past, target)
    print(f"Serve it with: mlflow models serve --env-manager local -m {options.target}")
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


def _write_onnx(past: PastRun, file: Path) -> None:
    """Write a run as an ONNX file, and say what is in it."""
    from rich.filesize import decimal

    from offshelf.onnx import write_onnx

    predictor = Predictor.of(past.config, past.model())
    written = write_onnx(predictor, file, past.name)
    names = " and ".join(map(str, written.files))
    print(f"Written to {names}: {decimal(written.size)}, the network's weights among them.")
    print(f"Its scores by ONNX Runtime are PyTorch's, to a relative {written.distance:.1g}.")
    if predictor.extractor.precision != "float32":
        print(f"It computes in float32, the run in {predictor.extractor.precision}: scores differ by what that rounds.")


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
        if isinstance(given, bytes):
            return self.predictor.bytes(given)
        if os.path.isfile(given):  # noqa: PTH113 - pathlib raises where base64 is too long for a path
            return self.predictor.file(Path(given))
        try:
            text = given.partition(",")[2] if given.startswith("data:") else given
            return self.predictor.bytes(base64.b64decode(text, validate=True))
        except binascii.Error as error:
            raise ImageError(f"'{given[:40]}' is neither a file, a data: URL, nor base64.") from error


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="offshelf export", description=__doc__)
    parser.add_argument("run", help="id (its first letters), name, or output folder", metavar="RUN")
    parser.add_argument("target", help="to be made: a folder, or a file named .onnx", metavar="DIR|FILE.onnx")
    parser.add_argument("settings", nargs="*", help="home=DIR, uri=URL", metavar="key=value")
    return parser
