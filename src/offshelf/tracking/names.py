"""Names of metrics, parameters and tags in the characters that MLflow allows."""

import re
from collections.abc import Iterable
from posixpath import normpath

from offshelf.identity import digest

LONGEST_NAME = 250
"""Characters that MLflow allows in a name."""


def allowed_name(name: str) -> str:
    """Return the name with an underscore for each character, or part of a path, that MLflow does not allow."""
    letters = re.sub(r"[^\w\-./: ]", "_", name)
    if not letters or letters.startswith("/") or letters in (".", "..") or normpath(letters) != letters:
        letters = re.sub(r"(?:^|(?<=/))(?:\.{1,2})?(?=/|$)", lambda found: "_" * max(1, len(found[0])), letters)
    return letters[:LONGEST_NAME]


def allowed_names(names: Iterable[str]) -> dict[str, str]:
    """Return a distinct allowed name for each name: `a@b` beside `a_b` gets the first characters of a digest."""
    taken = {name for name in names if allowed_name(name) == name}
    found: dict[str, str] = {}
    for name in names:
        chosen = allowed_name(name)
        if chosen != name and chosen in taken:
            chosen = f"{chosen[: LONGEST_NAME - 9]}_{digest(name)[:8]}"
        taken.add(chosen)
        found[name] = chosen
    return found
