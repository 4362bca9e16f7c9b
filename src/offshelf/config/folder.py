"""The folder of configs, and the options that it ships."""

import re
from pathlib import Path

import offshelf


def conf_dir() -> Path:
    """Return the folder of configs: inside the package; in a checkout it is a link to the one at the root."""
    return (Path(offshelf.__file__).parent / "conf").resolve()


def options(group: str) -> dict[str, str]:
    """Return the shipped options of a group, and the comment that each begins with."""
    files = sorted((conf_dir() / group).glob("*.yaml"))
    return {file.stem: file.read_text(encoding="utf-8").splitlines()[0].lstrip("# ") for file in files}


def root_targets() -> dict[str, str]:
    """Return the shipped root configs of tasks, and the function that each names."""
    texts = {file.stem: file.read_text(encoding="utf-8") for file in sorted(conf_dir().glob("*.yaml"))}
    found = {name: re.search(r"^_target_: *(\S+)", text, re.MULTILINE) for name, text in texts.items()}
    return {name: match[1] for name, match in found.items() if match}
