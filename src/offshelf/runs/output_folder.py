"""Output folders: one run at a time writes into a folder, and no run overwrites the results of another."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from offshelf.errors import ConfigError, StoreError
from offshelf.terminal import say

LIST = ".results"
"""File with the names of the files that the last run wrote; other files in the folder belong to the user."""

KNOWN = ("metrics.json", "config.yaml", "recommendation.csv", "per_class.csv", "predictions.csv", "model.safetensors")
"""Result files of a run that left no list, because it was killed or belongs to an older release."""

EARLIER = "earlier"


@contextmanager
def writing_into(folder: Path) -> Iterator[None]:
    """Lock an output folder; earlier results in it are moved into a folder of their own, with a message.

    Raises:
        ConfigError: another process is writing into the folder.
        StoreError: the folder cannot be written.
    """
    from filelock import FileLock, Timeout

    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".writing", timeout=0, thread_local=False)
        with suppress(NotImplementedError):  # a file system without locks
            lock.acquire()
        _put_aside(folder)
        before = _files(folder)
    except Timeout as error:
        raise ConfigError(
            f"Another run is writing into {folder}. Choose another folder with hydra.run.dir=…"
        ) from error
    except OSError as error:
        raise StoreError(f"Could not write the run's results to {folder}: {error.strerror}.") from error
    try:
        yield
    finally:
        with suppress(OSError):
            changed = [name for name, state in _files(folder).items() if before.get(name) != state]
            if changed:
                (folder / LIST).write_text("".join(f"{name}\n" for name in changed), encoding="utf-8")
        if lock.is_locked:
            with suppress(OSError):
                Path(lock.lock_file).unlink(missing_ok=True)
            lock.release()


def _put_aside(folder: Path) -> None:
    try:
        names = (folder / LIST).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        names = list(KNOWN)
    results = [folder / name for name in names if (folder / name).is_file()]
    if not results:
        return
    number = 1
    while (folder / f"{EARLIER}-{number}").exists():
        number += 1
    aside = folder / f"{EARLIER}-{number}"
    aside.mkdir()
    for path in results:
        path.rename(aside / path.name)
    say(f"{folder} held the results of a run: they are in {aside} now.", stderr=True)


def _files(folder: Path) -> dict[str, tuple[int, int]]:
    """Return time of change and size of each file that is not hidden."""
    found = {path.name: path.stat() for path in folder.iterdir() if path.is_file() and path.name[0] != "."}
    return {name: (one.st_mtime_ns, one.st_size) for name, one in found.items()}
