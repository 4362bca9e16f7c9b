"""The home: one folder for the tracking store, the artifacts, the features and downloaded data."""

import os
from pathlib import Path

from offshelf.errors import StoreError


def home_path(override: str | None = None) -> Path:
    """Return the path of the home without creating it; see `home_dir`."""
    chosen = override or os.environ.get("OFFSHELF_HOME")
    if not chosen:
        import platformdirs

        chosen = platformdirs.user_data_dir("offshelf", appauthor=False)
    return Path(chosen).expanduser().absolute()


def home_key() -> str:
    """Return a text that differs from one home to another; it is cheap enough to be asked for each image."""
    named = os.environ.get("OFFSHELF_HOME", "")
    return named if not named or named.startswith("/") else str(home_path())


def is_within(path: str | Path, folder: Path) -> bool:
    """Return whether a path is `folder` or below it, links followed."""
    return Path(path).expanduser().resolve().is_relative_to(folder.expanduser().resolve())


def home_dir(override: str | None = None) -> Path:
    """Return the home, and create it if it is missing.

    It is the `home=` of the command line, else `OFFSHELF_HOME`, else the system's folder for user data.

    Raises:
        StoreError: The folder cannot be created or written to.
    """
    path = home_path(override)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"The home {path} cannot be created: {error.strerror}. Choose another with home=… or OFFSHELF_HOME."
        ) from error
    if not os.access(path, os.W_OK):
        raise StoreError(f"The home {path} is read-only. Choose another with home=… or OFFSHELF_HOME.")
    return path
