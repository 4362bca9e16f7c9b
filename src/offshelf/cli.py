"""The command line: `offshelf <task> <overrides>`, Hydra's grammar throughout; heavy imports wait for the task."""

import atexit
import errno
import gc
import io
import logging
import os
import re
import sys
import warnings
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, cast

from offshelf import __version__
from offshelf.errors import ConfigError, OffshelfError
from offshelf.names import visible
from offshelf.process.signals import on_signals, staying
from offshelf.secret import masked
from offshelf.suggest import did_you_mean

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from offshelf.config.command_line import Asked
    from offshelf.launcher import Job

HELP = """\
offshelf: how good are off-the-shelf features for my images?

  offshelf classify [group=option] [key=value]   score frozen features with a linear classifier
  offshelf retrieve [group=option] [key=value]   rank references for queries: what do images find?
  offshelf recommend dataset=folder dataset.root=DIR budget=10min    which features are best for my images?
  offshelf extract  [group=option] [key=value]   fill the feature store; dry_run=true says what is missing
  offshelf layers   [backbone=option]            list the layers that can be asked for
  offshelf dataset  [option] [key=value]         what a data set is, and whether the copy at hand is whole
  offshelf compare  RUN RUN                      runs side by side: error bars, paired differences
  offshelf report   STUDY_DIR                    a study's runs beside the published numbers
  offshelf predict  RUN IMAGES                   classes of other images, by a run's model
  offshelf export   RUN DIR|FILE.onnx            a run as an MLflow model, for mlflow models serve, or as ONNX
  offshelf register RUN NAME                     the same in MLflow's model registry
  offshelf rerun    RUN [--check]                a run again: do its numbers come out equal?
  offshelf store    ls|du|verify|prune|export    look after the feature store
  offshelf track    sync [FOLDER ...]            send runs that were kept, by tracking=offline or a lost server
  offshelf ui       [port=5000] [home=DIR]       open MLflow on the runs

  offshelf classify                                              digits, EfficientNet-Lite0: works offline
  offshelf classify layer=all                                    every layer, from one pass
  offshelf classify dataset=folder dataset.root=DIR              your images, a folder a class
  offshelf retrieve dataset=folder dataset.root=DIR              your objects, a folder each: score, contact sheet
  offshelf classify -m layer=blocks.4,blocks.6 classifier.C=2,20 a sweep
  offshelf classify --cfg job                                    the whole config, before it runs
  offshelf classify --help                                       all groups and options
  eval "$(offshelf -sc install=bash)"                            completion; also zsh, fish

Options of a task are Hydra's: -m, --cfg, --info, --resolve, --config-dir, --config-name.
"""

MODULES = {
    "compare": "offshelf.commands.compare",
    "export": "offshelf.commands.export",
    "predict": "offshelf.commands.predict",
    "register": "offshelf.commands.register",
    "report": "offshelf.commands.report",
    "rerun": "offshelf.commands.rerun",
    "store": "offshelf.commands.store",
    "track": "offshelf.commands.track",
    "ui": "offshelf.commands.ui",
}
"""Commands that are no tasks, and whose `main` runs them."""


COLLECTION = (100_000, 50, 100)
"""Objects made between looks for garbage. What imports and configs make is none: looking there as often as Python does
by itself takes a twelfth of a short run."""


SURROUNDINGS = (
    *(errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.ENAMETOOLONG),
    *(errno.EMFILE, errno.ENFILE, errno.ESTALE, errno.ENOTDIR),
)
"""Errors of disks and folders, which are none of the program's."""


def main() -> NoReturn:
    """Run the command line and exit: 0 done, 1 a mistake or a failed job, 129 SIGHUP, 130 Ctrl-C, 143 SIGTERM."""
    on_signals()
    for stream in (sys.stdout, sys.stderr):  # names may be of bytes that are no UTF-8, or terminals of few letters
        if isinstance(stream, io.TextIOWrapper):
            with suppress(OSError, ValueError):
                stream.reconfigure(errors="backslashreplace")
    warnings.filterwarnings("ignore", message="(Glyph .* missing from|Matplotlib currently does not support)")  # boxes
    gc.set_threshold(*COLLECTION)
    atexit.register(gc.freeze)  # the interpreter's last look through all modules took a second and a half
    try:
        code = _dispatch([_open(at_home(argument)) for argument in sys.argv[1:]])
    except OffshelfError as error:
        if os.environ.get("OFFSHELF_DEBUG"):
            raise
        print(f"Error: {visible(masked(str(error)))}", file=sys.stderr)
        code = 1
    except KeyboardInterrupt:
        print("Interrupted. The same command goes on from the features that are in the store.", file=sys.stderr)
        code = 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except OSError as error:
        if error.errno not in SURROUNDINGS or os.environ.get("OFFSHELF_DEBUG"):
            raise
        place = f" {visible(str(error.filename))}" if error.filename else ""
        print(f"Error: {error.strerror}:{place}. What is in the store stays there.", file=sys.stderr)
        code = 1
    sys.exit(code)


def _dispatch(arguments: list[str]) -> int:
    command, rest = (arguments[0], arguments[1:]) if arguments else ("--help", [])
    if command in ("-h", "--help", "help"):
        print(HELP, end="")
        return 0
    if command == "--version":
        print(f"offshelf {__version__}")
        return 0
    if command in ("-sc", "--shell-completion"):
        from offshelf.config.completion import complete

        return complete(rest)
    if command in MODULES:
        with nullcontext() if {"-h", "--help"} & set(rest) else staying():
            code: int = import_module(MODULES[command]).main(rest)
        return code
    from offshelf.config import COMMANDS

    if command not in COMMANDS:
        raise ConfigError(f"There is no command '{command}'{did_you_mean(command, COMMANDS)} See: offshelf --help")
    if command == "dataset" and not rest:
        return _list_datasets()
    return run_task(command, _named_dataset(rest) if command == "dataset" else rest)


def run_task(task: str, arguments: Sequence[str]) -> int:
    """Check the overrides, then hand them to Hydra, which runs the task once, or once a job of a sweep."""
    from offshelf.sweep import Command, Source, run_sweep

    asked = _check(task, arguments)
    # Hydra then passes errors on, instead of printing them and leaving.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    if asked.first is None:
        _run_once(asked)
        return 0
    of_jobs = [override for override in asked.overrides if not re.match(r"[+~]*hydra[./]", override)]
    flags = [argument for argument in asked.arguments if argument not in of_jobs]
    source = Source(lambda call, *more: _launch(asked, call, *more), asked.chooses)
    run_sweep(Command(task, flags, of_jobs), asked.first, source)
    return 0


def _check(task: str, arguments: Sequence[str]) -> "Asked":
    from offshelf.config.command_line import read

    return read(task, arguments)


def _run_once(asked: "Asked") -> None:
    from hydra.core.hydra_config import HydraConfig

    from offshelf.config import perform

    errors: list[BaseException] = []

    def job(config: "DictConfig") -> Any:
        try:
            return perform(config, Path(HydraConfig.get().runtime.output_dir), asked.arguments)
        except BaseException as error:
            errors.append(error)  # raised when Hydra is through, which would announce it in its own words
            return None

    _hydra(asked, job)
    if errors:
        raise errors[0]


def _launch(asked: "Asked", call: "Callable[[Job], Any]", *more: str) -> None:
    """Call a function with each job of a sweep, in Hydra's order; `more` are overrides of Hydra's settings."""
    from hydra.core.hydra_config import HydraConfig

    from offshelf.launcher import Job

    def job(config: "DictConfig") -> Any:
        return call(Job.of(config, cast("DictConfig", HydraConfig.get())))

    logging.getLogger("hydra._internal.core_plugins.basic_launcher").setLevel(logging.WARNING)  # it launches nothing
    _hydra(asked, job, *more)


def _hydra(asked: "Asked", job: "Callable[[DictConfig], Any]", *more: str) -> None:
    """Have Hydra call a function.

    Raises:
        ConfigError: Hydra cannot make a folder, or refuses a setting of its own.
    """
    import hydra
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    from offshelf.config import secrets_masked
    from offshelf.config.explain import explain
    from offshelf.config.folder import conf_dir

    sys.argv = [f"offshelf {asked.task}", *_unnamed([*asked.overrides, *more]), *asked.flags]
    raised: list[BaseException] = []

    def guarded(config: "DictConfig") -> Any:
        try:
            return job(config)
        except BaseException as error:
            raised.append(error)
            raise

    try:
        with secrets_masked():
            hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name=asked.task)(guarded)()
    except (HydraException, OmegaConfBaseException, ValueError, TypeError, OSError) as error:
        if raised:
            raise
        raise explain(error) from error


def _unnamed(arguments: Sequence[str]) -> list[str]:
    """With what keeps overrides with a secret out of names of folders, which `override_dirname` is made for."""
    secrets = [argument for argument in arguments if masked(argument) != argument]
    setting = "hydra.job.config.override_dirname.exclude_keys"
    if not secrets or any(argument.startswith(setting) for argument in arguments):
        return list(arguments)
    place = arguments.index(secrets[-1]) + 1  # beside others, as Hydra's options may not stand between overrides
    keys = ",".join(argument.partition("=")[0].lstrip("+~") for argument in secrets)
    return [*arguments[:place], f"{setting}=[{keys}]", *arguments[place:]]


def at_home(argument: str) -> str:
    """`key=~/…` with the home folder put in: shells leave it as it is, and Hydra's grammar has no such value."""
    return re.sub(r"(?<==)~(?=/|$)", lambda _: str(Path.home()), argument, count=1)


def _open(argument: str) -> str:
    """`+group.key=…` also where the key is there, and `backbone.kwargs.key=…`, whose keys are anybody's, with `++`."""
    return re.sub(r"^(?:\+(?=\w+(\.\w+)+=)|(?=\w+\.kwargs\.\w))", "++", argument)


def _list_datasets() -> int:
    from offshelf.config.folder import options

    for name, about in options("dataset").items():
        print(f"{name:16} {about}")
    return 0


def _named_dataset(arguments: list[str]) -> list[str]:
    """`voc2007` as `dataset=voc2007`."""
    named = [argument for argument in arguments[:1] if re.fullmatch(r"\w+", argument)]
    return [f"dataset={name}" for name in named] + arguments[len(named) :]
