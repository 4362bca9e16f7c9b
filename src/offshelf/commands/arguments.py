"""Arguments of the commands that are not tasks: argparse, with a user's mistakes as one sentence."""

import argparse
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn

from typing_extensions import override

from offshelf.errors import ConfigError

SETTINGS = (
    "home",
    "uri",
    "tracking.uri",
    "experiment",
    "store.root",
    "on_error",
    "probabilities",
    "alias",
    "layer",
    "trust",
    "sort",
    "limit",
)
"""Keys of `key=value` that may stand anywhere: what else has an equals sign can be the name of a run."""


FILES = frozenset(
    {
        *(".bin", ".ckpt", ".engine", ".h5", ".hdf5", ".joblib", ".keras", ".mlmodel", ".mlpackage", ".onnx", ".ort"),
        *(".parquet", ".pb", ".pickle", ".pkl", ".pt", ".pt2", ".pte", ".pth", ".safetensors", ".skops", ".tflite"),
        *(".ts", ".csv", ".json", ".npy", ".npz", ".tsv", ".txt", ".yaml", ".yml"),
        *(".7z", ".bz2", ".gz", ".rar", ".tar", ".tgz", ".xz", ".zip"),
    }
)
"""Suffixes that files of models and tables have, and folders do not."""

NEAR = 0.7
"""Likeness to `.onnx` from which on a suffix is taken for it, misspelt."""


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one sentence; words, settings and options may come in any order."""

    @override
    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        # argparse takes what belongs together only where it stands together
        return super().parse_known_args(self._in_order(list(args or ())), namespace)

    def _in_order(self, arguments: list[str]) -> list[str]:
        words: list[str] = []
        settings: list[str] = []
        options: list[str] = []
        values = 0
        for argument in arguments:
            if argument == "--":
                return arguments
            if values:
                options.append(argument)
                values -= 1
            elif argument.startswith("-") and not self._subparsers:
                options.append(argument)
                values = self._values_of(argument)
            else:
                is_setting = argument.partition("=")[0] in SETTINGS and "=" in argument
                (settings if is_setting else words).append(argument)
        return [*words, *settings, *options]

    def _values_of(self, option: str) -> int:
        """Return how many arguments after an option belong to it."""
        name, equals, _ = option.partition("=")
        known = [action for word, action in self._option_string_actions.items() if word.startswith(name)]
        return 0 if equals or not known or known[0].nargs == 0 else 1

    def error(self, message: str) -> NoReturn:
        """Raise ConfigError."""
        raise ConfigError(f"{message[0].upper()}{message[1:]}. See: {self.prog} --help")


def divide(arguments: Sequence[str], defaults: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
    """Return the arguments that are not `key=value` of these keys, and the values of all keys.

    `uri` may be written as tasks have it, `tracking.uri`.
    """
    values = dict(defaults)
    others = []
    for argument in arguments:
        key, equals, value = argument.partition("=")
        key = "uri" if key == "tracking.uri" else key
        if equals and key in values:
            values[key] = value
        else:
            others.append(argument)
    return others, values


def require_folder_name(target: str, way_out: str) -> None:
    """Refuse the name of a file for a folder that is to be made; one that is there already may have any name.

    Args:
        target: As it was typed.
        way_out: A sentence.

    Raises:
        ConfigError: it ends as files do.
    """
    path = Path(target).expanduser()
    suffix = path.suffix.lower()
    if not path.is_dir() and (suffix in FILES or get_close_matches(suffix, [".onnx"], 1, cutoff=NEAR)):
        raise ConfigError(f"{target} is named like a file, and would be a folder. {way_out}")
