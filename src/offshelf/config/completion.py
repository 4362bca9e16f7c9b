"""Shell completion: Hydra's, behind the name of the task."""

import os
import sys
from collections.abc import Sequence

from offshelf.config.folder import conf_dir

ZSH_PREAMBLE = "autoload -Uz compinit bashcompinit; (( $+functions[compdef] )) || compinit; bashcompinit"
"""Hydra's scripts for zsh are those for bash, which need zsh's emulation of bash's completion."""


def complete(arguments: list[str], commands: Sequence[str], tasks: Sequence[str]) -> int:
    """Answer `-sc install=…`, `uninstall=…` and `query=…`; a query's line is in COMP_LINE. Returns the exit code.

    Args:
        arguments: Those behind `-sc`.
        commands: All commands.
        tasks: Commands whose arguments Hydra completes.
    """
    line = os.environ.get("COMP_LINE", "")
    words = line.split()
    if arguments and arguments[0].startswith("query="):
        if len(words) < 2 or (len(words) == 2 and not line.endswith(" ")):
            print("\n".join(command for command in commands if command.startswith(words[1] if len(words) > 1 else "")))
            return 0
        if words[1] not in tasks:
            return 0
        # Hydra completes a line that holds the program and its overrides alone.
        os.environ["COMP_LINE"] = line.replace(f"{words[0]} {words[1]}", words[0], 1)
    if arguments in (["install=zsh"], ["uninstall=zsh"]):
        print(ZSH_PREAMBLE)
    if arguments in (["uninstall=bash"], ["uninstall=zsh"]):
        print("complete -r offshelf 2> /dev/null")  # Hydra's leaves it where nothing was there before
    import hydra

    task = words[1] if len(words) > 1 and words[1] in tasks else "classify"
    sys.argv = [sys.argv[0], "-sc", *arguments]
    hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name=task)(lambda _: None)()
    return 0
