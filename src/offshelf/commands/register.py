"""`offshelf register`: a run's model in MLflow's registry of models."""

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from offshelf.commands.arguments import Parser, divide
from offshelf.commands.export import write_model
from offshelf.commands.result import CommandResult
from offshelf.errors import ConfigError, TrackingError
from offshelf.runs.recorded import RecordedRun
from offshelf.secret import masked
from offshelf.terminal import say
from offshelf.tracking.mlflow.reading import SETTINGS


def main(arguments: Sequence[str]) -> CommandResult:
    """Register a run's model as a new version, and print which.

    Raises:
        ConfigError: an argument is misspelt, or the record names code that is not trusted.
        ModelError: the run kept no model, or its network is not what it was.
        TrackingError: there is no such run, or the registry does not take it.
    """
    from offshelf.tracking.mlflow.registry import register

    options = _parser().parse_args(arguments)
    surplus, given = divide(options.settings, {**SETTINGS, "alias": "", "trust": "", "images": ""})
    if surplus:
        raise ConfigError(
            f"offshelf register has no setting '{surplus[0]}'. It takes home=, uri=, experiment=, alias=, trust=, "
            "images="
        )
    alias, trust, images = (given.pop(name) for name in ("alias", "trust", "images"))
    past = RecordedRun.find(options.run, **given)
    if not past.id:
        raise TrackingError(
            f"{options.run} is an output folder; a model is registered under its run: give the run's id."
        )
    with TemporaryDirectory() as place:
        folder = Path(place) / "model"
        write_model(past, folder, trust, images)
        made = register(past.id, folder, options.name, alias, given)
    address = f"{made.name}@{alias}" if alias else f"{made.name}/{made.version}"
    say(f"Registered as {made.name}, version {made.version}. Serve it with:")
    store, model = shlex.quote(masked(made.store)), shlex.quote(f"models:/{address}")
    say(f"MLFLOW_TRACKING_URI={store} mlflow models serve --env-manager local -m {model}")
    registered = {"model": made.name, "version": made.version, "alias": alias or None}
    return CommandResult({"run": past.id, **registered, "uri": f"models:/{address}", "store": made.store})


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="offshelf register", description=__doc__)
    parser.add_argument("run", help="id (its first letters), or name", metavar="RUN")
    parser.add_argument("name", help="in the registry; a name that is there gets a new version", metavar="NAME")
    parser.add_argument(
        "settings", nargs="*", help="alias=NAME, home=DIR, uri=URL, trust=PACKAGE, images=DIR", metavar="key=value"
    )
    return parser
