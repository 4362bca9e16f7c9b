"""The home: one folder for the tracking store, the artifacts, the features and downloaded data."""

import os
from pathlib import Path

from offshelf.errors import StoreError


def home_path(override: str | None = None) -> Path:
    """See home_dir; nothing is made."""
    chosen = override or os.environ.get("OFFSHELF_HOME")
    if not chosen:
        import platformdirs

        chosen = platformdirs.user_data_dir("offshelf", appauthor=False)
    return Path(chosen).expanduser().absolute()


def home_dir(override: str | None = None) -> Path:
    """The `home=` of the command line, else `OFFSHELF_HOME`, else the system's folder for user data; made if missing.

    Raises:
        StoreError: the folder cannot be made or written to.
    """
    path = home_path(override)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"The home {path} cannot be made: {error.strerror}. Choose another with home=… or OFFSHELF_HOME."
        ) from error
    if not os.access(path, os.W_OK):
        raise StoreError(f"The home {path} is read-only. Choose another with home=… or OFFSHELF_HOME.")
    return path
