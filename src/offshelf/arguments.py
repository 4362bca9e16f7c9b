"""What the commands that are no tasks have in common: argparse, with a user's mistakes as one sentence."""

import argparse
from collections.abc import Mapping, Sequence
from typing import NoReturn

from offshelf.errors import ConfigError


class Parser(argparse.ArgumentParser):
    """Mistakes as one sentence."""

    def error(self, message: str) -> NoReturn:
        """Raise ConfigError."""
        raise ConfigError(f"{message[0].upper()}{message[1:]}. See: {self.prog} --help")


def divide(arguments: Sequence[str], defaults: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
    """Arguments that are no `key=value` of these keys, and the values of all keys."""
    values = dict(defaults)
    others = []
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if equals and key in values:
            values[key] = value
        else:
            others.append(argument)
    return others, values
