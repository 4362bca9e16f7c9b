"""The command line: `offshelf <task> <overrides>`, Hydra's grammar throughout; heavy imports wait for the task."""

import atexit
import errno
import gc
import io
import os
import re
import shlex
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from offshelf import __version__
from offshelf.commands.command_table import COMMANDS, TASKS, help_text
from offshelf.commands.result import CommandResult
from offshelf.commands.standard_output import only_json
from offshelf.errors import ConfigError, OffshelfError, SweepError
from offshelf.names import visible
from offshelf.process.signals import is_asked, obey, on_signals, staying
from offshelf.secret import masked
from offshelf.suggest import did_you_mean

if TYPE_CHECKING:
    from offshelf.config.command_line import Asked

GARBAGE_THRESHOLDS = (100_000, 50, 100)
"""Objects made between collections of garbage. What imports and configs make is not garbage: collecting as often as
Python does by default takes a twelfth of a short run."""

SYSTEM_ERRORS = (
    *(errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.ENAMETOOLONG),
    *(errno.EMFILE, errno.ENFILE, errno.ESTALE, errno.ENOTDIR),
)
"""Errors of disks and folders, which are not the program's."""

JSON = "--json"
"""The option of every command that prints its result as data."""

TRACKED = ("classify", "retrieve", "recommend")
"""Tasks whose runs are sent to MLflow."""

HELP = ("-h", "--help")
WITHOUT_RESULT = (*HELP, "help", "--hydra-help", "--cfg", "-c", "--info", "-i", "-sc", "--shell-completion")
"""Options that show something instead of running a command."""


def main() -> NoReturn:
    """Run the command line and exit: 0 done, 1 a mistake or a failed job, 129 SIGHUP, 130 Ctrl-C, 143 SIGTERM."""
    try:
        _main()
    except SystemExit as leaving:
        background = sys.modules.get("offshelf.svm.solver.background")
        if background:
            background.leave(leaving.code)
        raise


def _main() -> NoReturn:
    on_signals()
    for stream in (sys.stdout, sys.stderr):  # names may be of bytes that are not UTF-8, or terminals of few letters
        if isinstance(stream, io.TextIOWrapper):
            with suppress(OSError, ValueError):
                stream.reconfigure(errors="backslashreplace")
    warnings.filterwarnings("ignore", message="(Glyph .* missing from|Matplotlib currently does not support)")  # boxes
    gc.set_threshold(*GARBAGE_THRESHOLDS)
    atexit.register(gc.freeze)  # the interpreter's last look through all modules took a second and a half
    arguments = [_open(at_home(argument)) for argument in sys.argv[1:]]
    if JSON not in arguments:
        sys.exit(_guarded(_dispatch, arguments).code)
    with only_json() as show:
        result = _guarded(_dispatch_for_json, [argument for argument in arguments if argument != JSON])
        show(result.json())
    sys.exit(result.code)


def _guarded(dispatch: Callable[[list[str]], CommandResult], arguments: list[str]) -> CommandResult:
    """Run a command; a user's mistake is one sentence on stderr."""
    try:
        return _obedient(dispatch, arguments)
    except OffshelfError as error:
        if os.environ.get("OFFSHELF_DEBUG"):
            raise
        return _failed(masked(str(error)), error.result if isinstance(error, SweepError) else {})
    except KeyboardInterrupt:
        print("Interrupted. The same command continues from the features that are in the store.", file=sys.stderr)
        return CommandResult(code=130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CommandResult()
    except OSError as error:
        if error.errno not in SYSTEM_ERRORS or os.environ.get("OFFSHELF_DEBUG"):
            raise
        place = f" {error.filename}" if error.filename else ""
        return _failed(f"{error.strerror}:{place}. What is in the store stays there.")


def _obedient(dispatch: Callable[[list[str]], CommandResult], arguments: list[str]) -> CommandResult:
    """Run a command; after a signal it leaves by that, whatever error has come since, which is told."""
    try:
        return dispatch(arguments)
    except Exception as error:
        if is_asked(error):
            _failed(masked(str(error)))
        obey(error)
        raise


def _failed(message: str, more: Mapping[str, Any] | None = None) -> CommandResult:
    print(f"Error: {visible(message)}", file=sys.stderr)
    return CommandResult({"error": message, **(more or {})}, 1)


def _dispatch_for_json(arguments: list[str]) -> CommandResult:
    if arguments[:1] == ["ui"] or set(WITHOUT_RESULT) & set(arguments):
        raise ConfigError(f"{shlex.join(['offshelf', *arguments])} has no result for {JSON}: leave that out.")
    return _dispatch(arguments)


def _dispatch(arguments: list[str]) -> CommandResult:
    command, rest = (arguments[0], arguments[1:]) if arguments else ("--help", [])
    if command in (*HELP, "help"):
        print(help_text(), end="")
        return CommandResult()
    if command == "--version":
        print(f"offshelf {__version__}")
        return CommandResult({"version": __version__})
    if command in ("-sc", "--shell-completion"):
        from offshelf.config.completion import complete

        return CommandResult(code=complete(rest, list(COMMANDS), TASKS))
    if command not in COMMANDS:
        raise ConfigError(
            f"There is no command '{command}'{did_you_mean(command, list(COMMANDS))} See: offshelf --help"
        )
    if not COMMANDS[command].is_task or names_run(command, rest):
        with nullcontext() if set(HELP) & set(rest) else staying():
            result: CommandResult = import_module(f"offshelf.commands.{command}").main(rest)
        return result
    if command == "dataset" and not rest:
        return _list_datasets()
    if command in TRACKED:
        from offshelf.light_imports import import_sklearn
        from offshelf.tracking.mlflow.sender import prepared

        with prepared(rest):
            asked = check(command, rest)
            import_sklearn()  # a mistake is told without it
            return CommandResult(run_task(asked))
    return CommandResult(run_task(check(command, named_dataset(rest) if command == "dataset" else rest)))


def names_run(command: str, arguments: Sequence[str]) -> bool:
    """Return whether a task that is a command too is asked for a run: by a word that is no override."""
    if not COMMANDS[command].takes_runs:
        return False
    after = zip(["", *arguments], arguments, strict=False)  # what follows an option is its value
    return any("=" not in one and one[:1] not in ("-", "~", "+") and before[:1] != "-" for before, one in after)


def run_task(asked: "Asked") -> Any:
    """Have Hydra run a task once, or once per job of a sweep.

    Returns:
        What the task returns; of a sweep its jobs.
    """
    from offshelf.config.hydra_main import call_with_jobs, run_once

    if asked.first is None:
        return run_once(asked)
    from offshelf.sweep import Command, Source, run_sweep

    of_jobs = [override for override in asked.overrides if not re.match(r"[+~]*hydra[./]", override)]
    flags = [argument for argument in asked.arguments if argument not in of_jobs]
    source = Source(lambda call, *more: call_with_jobs(asked, call, *more), asked.chooses)
    return run_sweep(Command(asked.task, flags, of_jobs), asked.first, source)


def check(task: str, arguments: Sequence[str]) -> "Asked":
    """Read and check the arguments of a task, without running it.

    Raises:
        ConfigError: whatever is wrong with them.
    """
    from offshelf.config.command_line import read

    return read(task, arguments)


def at_home(argument: str) -> str:
    """Return `key=~/…` with the home folder put in: shells leave it as it is, and Hydra's grammar has no such value."""
    return re.sub(r"(?<==)~(?=/|$)", lambda _: str(Path.home()), argument, count=1)


def named_dataset(arguments: list[str]) -> list[str]:
    """Return the arguments of `offshelf dataset` with a first `voc2007` as `dataset=voc2007`."""
    named = [argument for argument in arguments[:1] if re.fullmatch(r"\w+", argument)]
    return [f"dataset={name}" for name in named] + arguments[len(named) :]


def _open(argument: str) -> str:
    """Put `++` before `+group.key=…`, whose key may exist, and `backbone.kwargs.key=…`, whose keys are free."""
    return re.sub(r"^(?:\+(?=\w+(\.\w+)+=)|(?=\w+\.kwargs\.\w))", "++", argument)


def _list_datasets() -> CommandResult:
    from offshelf.config.folder import options

    listed = options("dataset")
    for name, about in listed.items():
        print(f"{name:16} {about}")
    return CommandResult(listed)
