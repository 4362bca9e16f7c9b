"""Execution of the user's code: imported as its files are now, with failures reported in one sentence."""

import importlib
import os
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.util import cache_from_source
from pathlib import Path

from offshelf.backbone.sources import is_users
from offshelf.backbone.weights_file import content_digest
from offshelf.errors import BackboneError, OffshelfError
from offshelf.process.signals import obey

_imported: dict[str, str] = {}
"""Digests of the sources that this process has executed, by path."""


def run_anew(modules: Mapping[str, Path], always: bool = False) -> None:
    """Make Python import modules of the user again if a source has changed since this process executed it.

    With `always` they are imported in any case, so that what they read on import can be observed.
    """
    now = {name: (str(path), content_digest(path)) for name, path in modules.items()}
    stale = [
        name
        for name, (path, content) in now.items()
        if name in sys.modules and (_imported[path] != content if path in _imported else not _is_as_compiled(name))
    ]
    forget_compiled(path for path, content in now.values() if _imported.get(path) != content)
    if stale or always:
        importlib.invalidate_caches()
        for name in now:
            sys.modules.pop(name, None)
    _imported.update(now.values())


def forget_compiled(files: Iterable[str]) -> None:
    """Remove what Python has compiled of sources, as far as it can be removed.

    Python knows a compiled file by the time of its source, in whole seconds, and its size. It would run the code of
    before where a source was edited within a second, or has the fixed time that archives and images of containers give.
    """
    for file in files:
        with suppress(OSError, NotImplementedError):
            Path(cache_from_source(file)).unlink(missing_ok=True)


def _is_as_compiled(name: str) -> bool:
    """Return whether a module's source has the time and size that Python recorded when it was imported."""
    spec = getattr(sys.modules[name], "__spec__", None)
    if spec is None or not spec.origin or not spec.cached:
        return False
    try:
        header, stat = Path(spec.cached).read_bytes()[:16], Path(spec.origin).stat()
    except OSError:
        return False
    noted = (int.from_bytes(header[8:12], "little"), int.from_bytes(header[12:16], "little"))
    return noted == (int(stat.st_mtime) & 0xFFFFFFFF, stat.st_size & 0xFFFFFFFF)


@contextmanager
def settings_kept() -> Iterator[None]:
    """Undo what the user's code sets for the whole process: working directory, PyTorch's default type and device."""
    import torch

    folder, dtype, device = Path.cwd(), torch.get_default_dtype(), torch.get_default_device()
    try:
        yield
    finally:
        os.chdir(folder)
        torch.set_default_dtype(dtype)
        if torch.get_default_device() != device:
            torch.set_default_device(None)


@contextmanager
def in_one_sentence(what: str, way_out: str = "") -> Iterator[None]:
    """Turn any error of the user's code into a BackboneError that names the failure, its cause, place and way out."""
    try:
        yield
    except OffshelfError:
        raise
    except (Exception, SystemExit, KeyboardInterrupt) as error:  # user code may raise anything
        obey(error)
        told = " ".join(str(error).split())[:300]
        why = f"{type(error).__name__}: {told}" if told else type(error).__name__
        raise BackboneError(f"{what}: {why}{_where(error)}.{way_out and ' '}{way_out}") from error


def _where(error: BaseException) -> str:
    """Return the last executed line of the user's code; empty if there is none."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if is_users(Path(frame.filename))]
    frames = [frame for frame in frames if not frame.filename.startswith("<")]
    return f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
