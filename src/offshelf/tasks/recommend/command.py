"""The command that runs a recommended layer in full."""

import re
import shlex
from collections.abc import Sequence

from offshelf.tasks.recommend.candidate import Candidate

OWN = ("budget", "candidates", "race", "layer", "name", "hydra", "sweep", "launcher")
"""Keys that `classify` lacks, that the recommendation decides, or that say where its own results are."""


def full_command(arguments: Sequence[str], candidate: Candidate, layer: str | None) -> str:
    """Return the command `offshelf classify` on the same data in the same way, with one backbone and layer.

    Args:
        arguments: Arguments of `offshelf recommend` as typed: overrides and flags.
        candidate: The backbone.
        layer: One of its layers; None: the layers that were typed, which are fused.
    """
    kept: list[str] = []
    words = candidate.words
    for argument in arguments:
        mine = re.fullmatch(rf"\+?backbone@backbones\.{re.escape(candidate.name)}=(.*)", argument)
        if mine:
            words = [f"backbone={mine[1]}", *words[1:]]
        elif (of_mine := re.fullmatch(rf"(\+*)backbones\.{re.escape(candidate.name)}\.(.*)", argument)) is not None:
            words = [*words, f"{of_mine[1]}backbone.{of_mine[2]}"]
        elif not _is_own(argument) or (layer is None and argument.startswith("layer=")):
            kept.append(argument)
    if layer is None:
        return shlex.join(["offshelf", "classify", *kept, *words])
    named = layer if re.fullmatch(r"[\w.-]+", layer) else f'"{layer}"'
    return shlex.join(["offshelf", "classify", *kept, *words, f"layer={named}"])


def _is_own(argument: str) -> bool:
    key = argument.partition("=")[0].lstrip("+~")
    return re.split(r"[.@/]", key)[0] in OWN or key.startswith(("backbones.", "backbone@backbones."))
