"""The command line: `offshelf <task> <overrides>`, Hydra's grammar throughout; heavy imports wait for the task."""

import atexit
import gc
import logging
import os
import re
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, cast

from offshelf import __version__
from offshelf.errors import ConfigError, OffshelfError
from offshelf.leaving import on_sigterm
from offshelf.spelling import did_you_mean

if TYPE_CHECKING:
    from omegaconf import DictConfig

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
    "compare": "offshelf.compare",
    "export": "offshelf.serving",
    "predict": "offshelf.predict",
    "register": "offshelf.register",
    "report": "offshelf.study.command",
    "rerun": "offshelf.rerun",
    "store": "offshelf.maintenance",
    "track": "offshelf.track",
    "ui": "offshelf.tracking.ui",
}
"""Commands that are no tasks, and whose `main` runs them."""


COLLECTION = (100_000, 50, 100)
"""Objects made between looks for garbage. What imports and configs make is none: looking there as often as Python does
by itself takes a twelfth of a short run."""


def main() -> NoReturn:
    """Run the command line and exit: 0 done, 1 a user's mistake or a failed job, 130 Ctrl-C, 143 SIGTERM."""
    on_sigterm()
    gc.set_threshold(*COLLECTION)
    atexit.register(gc.freeze)  # the interpreter's last look through all modules took a second and a half
    try:
        code = _dispatch([_open(_at_home(argument)) for argument in sys.argv[1:]])
    except OffshelfError as error:
        if os.environ.get("OFFSHELF_DEBUG"):
            raise
        print(f"Error: {error}", file=sys.stderr)
        code = 1
    except KeyboardInterrupt:
        print("Interrupted. The same command goes on from the features that are in the store.", file=sys.stderr)
        code = 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
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
        from offshelf.completion import complete

        return complete(rest)
    if command in MODULES:
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

    arguments = [_quoted(_layer_pattern(argument)) for argument in arguments]
    overrides, config, chooses = _check(task, arguments)
    # Hydra then passes errors on, instead of printing them and leaving.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    if config is None:
        _run_once(task, arguments)
        return 0
    of_jobs = [override for override in overrides if not re.match(r"[+~]*hydra[./]", override)]
    flags = [argument for argument in arguments if argument not in of_jobs]
    source = Source(lambda call, *more: _launch(task, [*arguments, *more], call), chooses)
    run_sweep(Command(task, flags, of_jobs), config, source)
    return 0


def _run_once(task: str, arguments: Sequence[str]) -> None:
    from hydra.core.hydra_config import HydraConfig

    from offshelf.config import perform

    errors: list[OffshelfError] = []

    def job(config: "DictConfig") -> Any:
        try:
            return perform(config, Path(HydraConfig.get().runtime.output_dir), arguments)
        except OffshelfError as error:
            errors.append(error)  # raised when Hydra is through, which would announce it in its own words
            return None

    _hydra(task, arguments, job)
    if errors:
        raise errors[0]


def _launch(task: str, arguments: Sequence[str], call: "Callable[[Job], Any]") -> None:
    """Call a function with each job of a sweep, in Hydra's order."""
    from hydra.core.hydra_config import HydraConfig

    from offshelf.launcher import Job

    def job(config: "DictConfig") -> Any:
        return call(Job.of(config, cast("DictConfig", HydraConfig.get())))

    logging.getLogger("hydra._internal.core_plugins.basic_launcher").setLevel(logging.WARNING)  # it launches nothing
    _hydra(task, arguments, job)


def _hydra(task: str, arguments: Sequence[str], job: "Callable[[DictConfig], Any]") -> None:
    import hydra

    from offshelf.config import conf_dir

    sys.argv = [f"offshelf {task}", *arguments]
    hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name=task)(job)()


def _check(task: str, arguments: Sequence[str]) -> "tuple[list[str], DictConfig | None, bool]":
    """Compose first, so that a mistake is answered at once.

    Returns:
        The overrides among the arguments, the config of a sweep's first job, or None for a single run, and whether
        a sweeper chooses the jobs by their results.
    """
    from hydra._internal.utils import get_args_parser
    from hydra.types import RunMode

    parsed = get_args_parser().parse_args(list(arguments))
    if parsed.hydra_help or parsed.help or parsed.info or parsed.config_path:
        return parsed.overrides, None, False
    from offshelf.config import hydra_config, load

    folder = Path(parsed.config_dir) if parsed.config_dir else None
    if folder and not folder.is_dir():
        raise ConfigError(f"--config-dir {folder} is no folder.")
    name = parsed.config_name or task
    choices = _choices(parsed.overrides)
    configs = [load(name, choice, folder, complete=not parsed.cfg) for choice in choices]
    own = parsed.config_name or any("hydra.mode=" in override for override in parsed.overrides)
    hydra = hydra_config(name, choices[0], folder) if parsed.multirun or own else None
    if hydra and (parsed.multirun or hydra.mode == RunMode.MULTIRUN):
        if not hydra.launcher._target_.endswith(".BasicLauncher"):
            raise ConfigError("hydra/launcher is not for offshelf's jobs: use launcher=joblib or launcher=slurm.")
        chooses = not hydra.sweeper._target_.endswith(".BasicSweeper")
        if chooses and "minimize" in str(hydra.sweeper.get("direction")):
            raise ConfigError("Metrics are the better the larger they are: hydra.sweeper.direction=maximize")
        return parsed.overrides, None if parsed.cfg else configs[0], chooses
    if configs[0].sweep.dry_run:
        raise ConfigError(
            "sweep.dry_run lists the jobs of a sweep: add -m; of a single run: offshelf extract dry_run=true"
        )
    return parsed.overrides, None, False


def _choices(overrides: Sequence[str]) -> list[list[str]]:
    """Overrides without sweeps: the first choice of each, then each other choice in its turn."""
    from hydra.core.override_parser.overrides_parser import OverridesParser

    from offshelf.config import explain

    try:
        parsed = OverridesParser.create().parse_overrides(list(overrides))
    except Exception as error:
        raise explain(error) from error
    options = [_options(override) for override in parsed]
    first = [choices[0] for choices in options if choices]
    others = [
        [other if choices is changed else choices[0] for choices in options if choices]
        for changed in options
        for other in changed[1:]
    ]
    return [first, *others]


def _options(override: Any) -> list[str]:
    if not override.is_sweep_override():
        return [override.input_line]
    if not override.is_discrete_sweep() or "glob(" in override.input_line:
        return []
    return [f"{override.get_key_element()}={value}" for value in override.sweep_string_iterator()]


def _at_home(argument: str) -> str:
    """`key=~/…` with the home folder put in: shells leave it as it is, and Hydra's grammar has no such value."""
    return re.sub(r"(?<==)~(?=/|$)", lambda _: str(Path.home()), argument, count=1)


def _open(argument: str) -> str:
    """`+group.key=…` also where the key is there, and `backbone.kwargs.key=…`, whose keys are anybody's, with `++`."""
    return re.sub(r"^(?:\+(?=\w+(\.\w+)+=)|(?=\w+\.kwargs\.\w))", "++", argument)


def _list_datasets() -> int:
    from offshelf.config import options

    for name, about in options("dataset").items():
        print(f"{name:16} {about}")
    return 0


def _named_dataset(arguments: list[str]) -> list[str]:
    """`voc2007` as `dataset=voc2007`."""
    named = [argument for argument in arguments[:1] if re.fullmatch(r"\w+", argument)]
    return [f"dataset={name}" for name in named] + arguments[len(named) :]


def _layer_pattern(argument: str) -> str:
    """Hydra's glob is for groups; for layers a pattern is a value, so that one pass takes all that match."""
    found = re.fullmatch(r"layer=glob\((.*)\)", argument)
    return f"layer='{found.group(1)}'" if found else argument


def _quoted(argument: str) -> str:
    """`key=Äpfel` with quotes, as Hydra's grammar wants it where a value has letters beyond ASCII."""
    found = re.fullmatch(r"([\w./@+~]+)=([\w ./~@%+\x80-\U0010ffff-]+)", argument)
    return f"{found[1]}='{found[2]}'" if found and not found[2].isascii() else argument
