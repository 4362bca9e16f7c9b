"""`offshelf export`: a run as an MLflow model, or as an ONNX file."""

import argparse
import shlex
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from shutil import copytree, ignore_patterns
from tempfile import TemporaryDirectory
from typing import Any

import yaml

import offshelf
from offshelf.commands.arguments import Parser, divide, require_folder_name
from offshelf.commands.result import CommandResult
from offshelf.config.trust import Trust
from offshelf.errors import ConfigError
from offshelf.model import FILE
from offshelf.runs.recorded import CONFIG, RecordedRun
from offshelf.serving.predictor import Predictor
from offshelf.terminal import say
from offshelf.tracking.mlflow.reading import SETTINGS

ONNX_SUFFIX = ".onnx"
NOT_PACKAGED = ("__pycache__", "*.so", "*.pyd", "conf")
"""What of offshelf a model does not need: it composes no configs, and fits nothing."""


def main(arguments: Sequence[str]) -> CommandResult:
    """Write a run as an MLflow model into a folder, or as an ONNX file where the target is named so.

    Raises:
        ConfigError: an argument is misspelt, the target is named like another kind of file, the record names code that
            is not trusted, the ONNX file is there already, or a package for it is missing.
        ModelError: the run kept no model, its network is not what it was, or a part of it cannot be in an ONNX file.
        BackboneError: its network cannot be in an ONNX file.
        TrackingError: there is no such run, or the folder cannot be written.
    """
    options = _parser().parse_args(arguments)
    surplus, where = divide(options.settings, {**SETTINGS, "trust": "", "images": ""})
    if surplus:
        raise ConfigError(
            f"offshelf export has no setting '{surplus[0]}'. It takes home=, uri=, experiment=, trust=, images="
        )
    trust, images = where.pop("trust"), where.pop("images")
    target = Path(options.target).expanduser()
    if target.suffix != ONNX_SUFFIX:
        name = target.stem
        require_folder_name(options.target, f"An ONNX file: {name}{ONNX_SUFFIX}; a folder with an MLflow model: {name}")
    past = RecordedRun.find(options.run, **where)
    if target.suffix == ONNX_SUFFIX:
        return CommandResult(_write_onnx(past, target, trust))
    write_model(past, target, trust, images)
    say(f"Serve it with: mlflow models serve --env-manager local -m {shlex.quote(options.target)}")
    return CommandResult({"run": past.id, "name": past.name, "folder": target})


def write_model(past: RecordedRun, folder: Path, trust: str = "", images: str = "") -> None:
    """Write a run as an MLflow model into a folder that is made.

    Args:
        past: The run.
        folder: Not there yet, or empty.
        trust: Packages that the record may name, as on the command line; the model goes on to trust them.
        images: The folder whose images the model answers by their paths in it; empty: it opens no path.

    Raises:
        ConfigError: the record names code that is not trusted, or there is no folder of images.
        ModelError: the run kept no model, or its network is not what it was.
        TrackingError: the folder cannot be written.
    """
    from offshelf.tracking.mlflow.exporting import Parts, save_pyfunc

    place = Path(images).expanduser().absolute()
    if images and not place.is_dir():
        raise ConfigError(f"images={images} is not a folder.")
    model = past.model()
    Predictor.of(past.config, model, Trust.of(trust))  # refuses a network that has changed
    with TemporaryDirectory() as temporary:
        files = {"config": Path(temporary) / CONFIG, "model": Path(temporary) / FILE}
        files["config"].write_text(yaml.safe_dump(past.config, allow_unicode=True), encoding="utf-8")
        files["model"].write_bytes(past.read(FILE) or b"")
        package = Path(offshelf.__file__).parent
        code = copytree(package, Path(temporary) / package.name, ignore=ignore_patterns(*NOT_PACKAGED))
        settings = {"images": str(place) if images else "", "trust": trust}
        script = package / "serving/pyfunc.py"
        parts = Parts(script, files, code, sorted(_requirements()), settings, model.calibration is not None)
        save_pyfunc(folder, parts)


def _requirements() -> Iterator[str]:
    """Yield the requirements of offshelf as installed; offshelf itself is part of the model, as code."""
    from packaging.requirements import Requirement

    for line in requires("offshelf") or []:
        wanted = Requirement(line)
        if wanted.marker is None or wanted.marker.evaluate({"extra": ""}):
            try:
                yield f"{wanted.name}=={version(wanted.name).partition('+')[0]}"  # an index has no local versions
            except PackageNotFoundError:  # it works without, or the model would not be exported
                yield f"{wanted.name}{wanted.specifier}"


def _write_onnx(past: RecordedRun, file: Path, trust: str) -> dict[str, Any]:
    """Write a run as an ONNX file, and say what is in it. Returns the same as data."""
    from rich.filesize import decimal

    from offshelf.serving.onnx import write_onnx

    predictor = Predictor.of(past.config, past.model(), Trust.of(trust))
    written = write_onnx(predictor, file, past.name)
    names = " and ".join(map(str, written.files))
    say(f"Written to {names}: {decimal(written.size)}, the network's weights among them.")
    say(f"Its scores by ONNX Runtime are PyTorch's, to a relative {written.distance:.1g}.")
    if predictor.extractor.precision != "float32":
        say(f"It computes in float32, the run in {predictor.extractor.precision}: scores differ by what that rounds.")
    described = {"files": written.files, "bytes": written.size, "relative_distance": written.distance}
    return {"run": past.id, "name": past.name, **described}


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="offshelf export", description=__doc__)
    parser.add_argument("run", help="id (its first letters), name, or output folder", metavar="RUN")
    parser.add_argument("target", help="to be made: a folder, or a file named .onnx", metavar="DIR|FILE.onnx")
    parser.add_argument("settings", nargs="*", help="home=DIR, uri=URL, trust=PACKAGE, images=DIR", metavar="key=value")
    return parser
