"""`offshelf inspect RUN`: what is wrong with the data of a run, by its features."""

import argparse
import shlex
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from offshelf.commands.arguments import Parser, divide, require_folder_name
from offshelf.commands.result import CommandResult
from offshelf.config import components, load, plain
from offshelf.config.folder import options as dataset_options
from offshelf.config.recorded_config import require_secrets
from offshelf.config.trust import Trust
from offshelf.errors import ConfigError
from offshelf.model import FILE as MODEL
from offshelf.remote import is_url
from offshelf.runs.output_folder import writing_into
from offshelf.runs.recorded import CONFIG, RecordedRun
from offshelf.secret import masked
from offshelf.terminal import Notify, show
from offshelf.tracking.mlflow.reading import SETTINGS

if TYPE_CHECKING:
    from offshelf.tasks.results import InspectionResult

GROUPS = (
    *("dataset", "augmentation", "backbone", "extractor", "store", "postprocess", "classifier", "bootstrap"),
    *("layer_fusion", "report"),
)
"""Components of an inspection, which a run's record has too."""


def main(arguments: Sequence[str]) -> CommandResult:
    """Inspect the data of one run.

    Raises:
        ConfigError: an argument is misspelt, or the run's config cannot be built any more, or is not trusted.
        TrackingError: there is no such run.
        OffshelfError: the inspection fails.
    """
    others, where = divide(arguments, {**SETTINGS, "trust": "", "store.root": "", "layer": ""})
    options = _parser().parse_args(others)
    trust, root, layer = Trust.of(where.pop("trust")), where.pop("store.root"), where.pop("layer")
    if options.out:
        require_folder_name(options.out, "Name a folder: an inspection is several files.")
    _require_no_images(options.run)
    past = RecordedRun.find(options.run, **where).storing(where["home"], root)
    folder = Path(options.out or f"outputs/inspect/{datetime.now():%Y-%m-%d/%H-%M-%S-%f}").expanduser()
    with writing_into(folder):
        result = inspect_recorded(past, trust, folder, layer, show)
    show(*result.closing())
    return CommandResult(result)


def _require_no_images(word: str) -> None:
    """Say how a data set is named, where one was named instead of a run."""
    meant = f"dataset={word}" if word in dataset_options("dataset") else ""
    folder = Path(word).expanduser()
    if is_url(word) or (folder.is_dir() and not (folder / CONFIG).is_file()):
        meant = shlex.join(["dataset=folder", f"dataset.root={word}"])
    elif folder.suffix.lower() == ".csv" and folder.is_file():
        meant = shlex.join(["dataset=csv", f"dataset.path={word}"])
    if meant:
        raise ConfigError(f"{word} is no run. To inspect images: offshelf inspect {meant}")


def inspect_recorded(past: RecordedRun, trust: Trust, folder: Path, layer: str, notify: Notify) -> "InspectionResult":
    """Inspect the data of a run, with its features and its classifier.

    Args:
        past: The run.
        trust: What its config may name.
        folder: Output folder.
        layer: A layer to use instead of the reported one; empty for that.
        notify: Receives what is said.

    Raises:
        ConfigError: as `main`.
        OffshelfError: the inspection fails.
    """
    require_secrets(past.config)
    parts = components(past.config, GROUPS, trust)
    lacking = [name for name in ("dataset", "backbone", "store") if parts[name] is None]
    if lacking:
        raise ConfigError(f"The record of {past.name} has no {', '.join(lacking)}: it is not of images and features.")
    return inspect_parts(parts, past.config, layer or reported_layer(past), folder, notify)


def inspect_parts(
    parts: Mapping[str, Any], config: Mapping[str, Any], layer: str | Sequence[str], folder: Path, notify: Notify
) -> "InspectionResult":
    """Inspect with components of a run; those that it has not are the defaults.

    Args:
        parts: Components by name, None for one that there is not.
        config: The run's config, for values and the record.
        layer: One layer, or those that are fused.
        folder: Output folder.
        notify: Receives what is said.

    Raises:
        OffshelfError: the inspection fails.
    """
    from offshelf.tasks.inspect import inspect

    usual = plain(load("inspect", []))
    needed = [name for name in GROUPS if parts.get(name) is None and usual.get(name) is not None]
    made = {**components(usual, needed, Trust(everything=True)), **{k: v for k, v in parts.items() if v is not None}}
    given: dict[str, Any] = {name: made.get(name) for name in GROUPS}
    return inspect(
        **given,
        layer=layer,
        pooling=config.get("pooling") or "auto",
        output_dir=str(folder),
        config=masked(dict(config)),
        notify=notify,
    )


def reported_layer(past: RecordedRun) -> Any:
    """Return the layer that a run reported, or those that it fused.

    Raises:
        ConfigError: it has several, and kept no model, which would name it.
    """
    layer = past.config.get("layer", "last")
    if past.config.get("layer_fusion"):
        return layer
    if past.read(MODEL) is not None:
        return past.model().layers[0]
    if isinstance(layer, str) and layer != "all" and "*" not in layer:
        return layer
    raise ConfigError(f"{past.name} has several layers and kept no model, which names the reported one: add layer=NAME")


def _parser() -> argparse.ArgumentParser:
    epilog = "also: layer=NAME home=DIR uri=URI experiment=NAME store.root=DIR trust=PACKAGE"
    parser = Parser(prog="offshelf inspect", description=__doc__, epilog=epilog)
    parser.add_argument("run", help="id (its first letters), name, or output folder", metavar="RUN")
    parser.add_argument("--out", help="folder for the results; by default below outputs/inspect here", metavar="DIR")
    return parser
