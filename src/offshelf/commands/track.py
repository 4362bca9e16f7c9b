"""`offshelf track sync`: send runs to MLflow that wait in their folders, by tracking=offline or a lost server."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from offshelf.commands.arguments import Parser, divide
from offshelf.commands.result import CommandResult
from offshelf.errors import ConfigError
from offshelf.home import home_dir
from offshelf.terminal import say
from offshelf.tracking.sync import Sent, Sync

SETTINGS = {"home": "", "uri": "", "tracking.uri": ""}
"""`uri` is short for `tracking.uri`."""


def main(arguments: Sequence[str]) -> CommandResult:
    """Send the runs that wait. The exit code is 0 also where runs that are still going on were left alone.

    Raises:
        ConfigError: an argument is misspelt.
        TrackingError: there is nothing in a folder, or runs could not be sent; all others are.
    """
    others, where = divide(arguments, SETTINGS)
    options = _parser().parse_args(others)
    folders = [Path(folder).expanduser() for folder in options.folders]
    missing = [str(folder) for folder in folders if not folder.is_dir()]
    if missing:
        raise ConfigError(f"There is no folder {', '.join(missing)}. Without one, all that waits in the home is sent.")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "120")  # no run waits for it, and models are large
    sync = Sync(home_dir(where["home"]), where["tracking.uri"] or where["uri"], options.ended)
    sent = sync.send(folders)
    _tell(sent)
    sent.require_success()
    runs = {"sent": [run.id for run in sent.new], "known": [run.id for run in sent.known], "left": sent.left}
    return CommandResult({**runs, "targets": sorted(sent.targets)})


def _tell(sent: Sent) -> None:
    say(*sent.left.values())
    if sent.new or sent.known:
        there = f"; {len(sent.known)} were there already" if sent.known else ""
        say(f"Sent to {', '.join(sorted(sent.targets))}: {_runs(len(sent.new))}{there}.")
    elif not sent.left and not sent.failed:
        say("Nothing waits to be sent.")


def _runs(number: int) -> str:
    return f"{number} run{'' if number == 1 else 's'}"


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="offshelf track", description=__doc__)
    commands = parser.add_subparsers(required=True, dest="command", metavar="sync", parser_class=Parser)
    sync = commands.add_parser("sync", help="send kept runs to MLflow", description=__doc__)
    sync.add_argument(
        "folders", nargs="*", help="output folders, or folders that hold some; without one: all of the home",
        metavar="FOLDER|home=DIR|tracking.uri=URI",
    )  # fmt: skip
    sync.add_argument("--ended", action="store_true", help="runs without an end have been killed, on another machine")
    return parser
