"""`offshelf track sync`: send to MLflow the runs that tracking=offline or a lost server left in their folders."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from offshelf.commands.arguments import Parser, divide
from offshelf.commands.result import CommandResult
from offshelf.errors import ConfigError
from offshelf.home import home_dir
from offshelf.terminal import say
from offshelf.tracking.mlflow.target import MLflowTarget
from offshelf.tracking.outbox.sync import Sync, SyncResult

SETTINGS = {"home": "", "uri": ""}


def main(arguments: Sequence[str]) -> CommandResult:
    """Send the runs. The exit code is 0 also if runs in progress were skipped.

    Raises:
        ConfigError: An argument is misspelt.
        TrackingError: A folder has no run, or runs could not be sent; all others are.
    """
    others, where = divide(arguments, SETTINGS)
    options = _parser().parse_args(others)
    folders = [Path(folder).expanduser() for folder in options.folders]
    missing = [str(folder) for folder in folders if not folder.is_dir()]
    if missing:
        raise ConfigError(
            f"There is no folder {', '.join(missing)}. Without folders, all runs that wait in the home are sent."
        )
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "120")  # models are large, and no run waits for this
    result = Sync(home_dir(where["home"]), MLflowTarget.connect, where["uri"], options.ended).send(folders)
    _show(result)
    result.require_success()
    runs = {"sent": [run.id for run in result.new], "known": [run.id for run in result.known]}
    return CommandResult({**runs, "left": result.skipped, "targets": sorted(result.targets)})


def _show(result: SyncResult) -> None:
    say(*result.skipped.values())
    if result.new or result.known:
        there = f"; {len(result.known)} were there already" if result.known else ""
        say(f"Sent to {', '.join(sorted(result.targets))}: {_runs(len(result.new))}{there}.")
    elif not result.skipped and not result.failed:
        say("Nothing waits to be sent.")


def _runs(number: int) -> str:
    return f"{number} run{'' if number == 1 else 's'}"


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="offshelf track", description=__doc__)
    commands = parser.add_subparsers(required=True, dest="command", metavar="sync", parser_class=Parser)
    sync = commands.add_parser("sync", help="send journaled runs to MLflow", description=__doc__)
    sync.add_argument(
        "folders", nargs="*", help="output folders, or folders that contain some; without any: all runs of the home",
        metavar="FOLDER|home=DIR|tracking.uri=URI",
    )  # fmt: skip
    sync.add_argument(
        "--ended", action="store_true", help="treat runs without an end as killed, also those of other machines"
    )
    return parser
