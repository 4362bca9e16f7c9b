"""The table of commands, from which help, completion and dispatch follow. It imports nothing heavy."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Verb:
    """A command of the command line."""

    name: str
    arguments: str
    """As the help shows them."""
    about: str
    """What the command does, in one line."""
    is_task: bool = False
    """Whether it is a task, whose arguments are Hydra's overrides, or a command with arguments of its own."""

    takes_runs: bool = False
    """Whether a task can also be asked for the name of a run, as a command of the same name."""

    @property
    def module(self) -> str:
        """The module that is named as the verb: of a task it holds the function that is run, else `main`."""
        return f"offshelf.{'tasks' if self.is_task else 'commands'}.{self.name}"


ABOUT_INSPECT = "what is wrong with the data: labels, copies, odd images"

VERBS = (
    Verb("classify", "[group=option] [key=value]", "score frozen features with a linear classifier", is_task=True),
    Verb("retrieve", "[group=option] [key=value]", "rank references for queries: what do images find?", is_task=True),
    Verb("recommend", "dataset=folder dataset.root=DIR", "which features are best for my images?", is_task=True),
    Verb("extract", "[group=option] [key=value]", "fill the feature store, or say what is missing", is_task=True),
    Verb("layers", "[backbone=option]", "list the layers of a network", is_task=True),
    Verb("dataset", "[option] [key=value]", "what a data set is, and whether its copy is complete", is_task=True),
    Verb("inspect", "RUN|[group=option] [key=value]", ABOUT_INSPECT, is_task=True, takes_runs=True),
    Verb("runs", "[FILTER ...]", "list runs, newest first"),
    Verb("compare", "RUN RUN", "runs side by side: error bars, paired differences"),
    Verb("report", "RUN|STUDY_DIR", "a run's page; a study's runs beside published numbers"),
    Verb("predict", "RUN IMAGES", "classes of other images, by a run's model"),
    Verb("export", "RUN DIR|FILE.onnx", "a run as an MLflow model, for mlflow models serve, or as ONNX"),
    Verb("register", "RUN NAME", "the same in MLflow's model registry"),
    Verb("rerun", "RUN [--check]", "repeat a run: are its numbers the same?"),
    Verb("store", "ls|du|verify|prune|export", "look after the feature store"),
    Verb("track", "sync [FOLDER ...]", "send runs that wait, of tracking=offline or a lost server"),
    Verb("ui", "[port=5000] [home=DIR]", "open MLflow on the runs"),
)

COMMANDS = {verb.name: verb for verb in VERBS}
"""All commands, by name."""

TASKS = tuple(verb.name for verb in VERBS if verb.is_task)
"""Names of the tasks."""

EXAMPLES = """\
  offshelf classify                                              digits, EfficientNet-Lite0: works offline
  offshelf classify layer=all                                    every layer, from one pass
  offshelf classify dataset=folder dataset.root=DIR              your images, one folder per class
  offshelf retrieve dataset=folder dataset.root=DIR              your objects, one folder each: score, contact sheet
  offshelf classify -m layer=blocks.4,blocks.6 classifier.C=2,20 a sweep
  offshelf classify --cfg job                                    the whole config, before it runs
  offshelf classify --help                                       all groups and options
  offshelf runs dataset=digits sort=value                        the best runs on a data set
  offshelf compare RUN RUN --json                                the result as one JSON document, of any command
  eval "$(offshelf -sc install=bash)"                            completion; also zsh, fish

Options of a task are Hydra's: -m, --cfg, --info, --resolve, --config-dir, --config-name.
"""


def listing() -> str:
    """Return the commands with their arguments, a line each."""
    return "".join(f"  offshelf {verb.name:9} {verb.arguments:32} {verb.about}\n" for verb in VERBS)


def help_text() -> str:
    """Return what `offshelf --help` prints."""
    return f"offshelf: how good are off-the-shelf features for my images?\n\n{listing()}\n{EXAMPLES}"
