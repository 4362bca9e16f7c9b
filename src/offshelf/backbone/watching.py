"""Observation of the files that are read while something is built."""

import importlib
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from offshelf.backbone.calls import listening
from offshelf.backbone.sources import find, is_users

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
SYSTEM = ("/proc/", "/sys/", "/dev/", "/etc/", "/lib/", "/lib64/", "/usr/lib/", "/usr/lib64/", "/usr/share/")
"""Folders without files of the user."""
PASSING_ON = ("os.py", "_collections_abc.py", "<frozen os>", "<frozen _collections_abc>")
"""Files of `os.getenv` and `os.environ.get`."""
LOOKS_FOR_MODULES = ("importlib", "pkgutil")
"""Parts of the names of Python's own code that lists the folders of `sys.path`."""
QUOTES_SOURCES = ("tokenize.py", "linecache.py")
"""Python's own code that reads sources of callers, for messages."""
UNSEEN = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty", "socket.connect")
"""Audit events after which something may be read that no event reports: by other programs or from other machines."""


class Watch:
    """User files that were opened for reading, folders that were listed, and modules that were imported by name."""

    def __init__(self) -> None:
        self.others = {thread.ident for thread in threading.enumerate()} - {threading.get_ident()}
        """Threads that do other work."""
        self.opened: dict[str, None] = {}
        self.written: set[str] = set()
        self.listed: dict[str, None] = {}
        self.variables: set[str] = set()
        """Names of environment variables that user code read."""
        self.has_unseen = False
        """Whether something may have been read unobserved."""

    def hand_over(self, path: str) -> None:
        """Note a string that may be the path of a file: the receiver may read it."""
        name = _name(path)
        if name is not None and not name.startswith(SYSTEM) and Path(name).is_file():
            self.opened[name] = None

    def miss(self) -> None:
        """Note that something may have been read unobserved."""
        self.has_unseen = True

    @property
    def files(self) -> list[Path]:
        """Return the files that were read and existed before."""
        paths = dict.fromkeys(_source(Path(name)) for name in self.opened if name not in self.written)
        return [path for path in paths if is_users(path) and path.is_file()]

    @property
    def filled(self) -> bool:
        """Whether a file was made, read, and left, as a cache is."""
        return any(is_users(path) and path.is_file() for path in map(Path, self.written & self.opened.keys()))

    @property
    def folders(self) -> list[Path]:
        """Return the folders that were listed."""
        return [path for path in map(Path, self.listed) if is_users(path) and path.is_dir()]

    def note(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Note an audit event, see https://docs.python.org/3/library/audit_events.html."""
        if event in UNSEEN:
            self.has_unseen |= threading.get_ident() not in self.others
            return
        name = _name(arguments[0]) if arguments else None
        if name is None or name.startswith(SYSTEM) or threading.get_ident() in self.others:
            return
        caller = _caller()
        if event == "sqlite3.connect":
            self.opened[name] = None
        elif event == "open":
            is_writing = bool(arguments[2] & WRITING) if isinstance(arguments[2], int) else False
            if is_writing:
                self.written.add(name)
            elif not caller.endswith(QUOTES_SOURCES):
                self.opened[name] = None
        elif not any(word in caller for word in LOOKS_FOR_MODULES):
            self.listed[name] = None


_watches: dict[int, Watch] = {}
_hooked = threading.Event()


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if _watches and event in ("open", "os.listdir", "os.scandir", "sqlite3.connect", *UNSEEN):
        for watch in list(_watches.values()):
            watch.note(event, arguments)


@contextmanager
def watching() -> Iterator[Watch]:
    """Observe what is read in this block, by this thread and the threads that it starts.

    Python reports each file that it opens. A file that a compiled library opens itself is found if its path is passed
    to the library, if safetensors opens it, or if it stays mapped into memory; otherwise `has_unseen` reports that
    something may have been missed.
    """
    if not _hooked.is_set():
        _hooked.set()
        sys.addaudithook(_hear)  # permanent: Python cannot remove an audit hook
    watch = Watch()
    before = _mapped()
    _watches[id(watch)] = watch
    try:
        with _told_of(watch), listening(watch.hand_over, watch.miss):
            yield watch
    finally:
        del _watches[id(watch)]
        watch.opened.update(dict.fromkeys(_mapped() - before))


@contextmanager
def _told_of(watch: Watch) -> Iterator[None]:
    """Also observe files of safetensors, modules imported by name, and environment variables."""
    import safetensors
    import safetensors.torch

    def opening(*arguments: Any, **options: Any) -> Any:
        watch.note("open", (arguments[0] if arguments else options.get("filename"), None, 0))
        return safe_open(*arguments, **options)

    def importing(name: str, package: str | None = None) -> Any:
        module = import_module(name, package)
        spec = find(module.__name__)
        if spec is not None and spec.origin:
            watch.note("open", (spec.origin, None, 0))
        return module

    def asking(environment: Any, name: Any) -> Any:
        if isinstance(name, str) and _is_asked_by_user():
            watch.variables.add(name)
        return ask(environment, name)

    safe_open, import_module = safetensors.safe_open, importlib.import_module
    ask = type(os.environ).__getitem__
    replaced: list[tuple[Any, str, Callable[..., Any]]] = [
        (safetensors, "safe_open", opening),
        (safetensors.torch, "safe_open", opening),
        (importlib, "import_module", importing),
        (type(os.environ), "__getitem__", asking),
    ]
    before = [(place, name, getattr(place, name)) for place, name, _ in replaced]
    for place, name, new in replaced:
        setattr(place, name, new)
    try:
        yield
    finally:
        for place, name, old in before:
            setattr(place, name, old)


def _name(path: Any) -> str | None:
    """Return an absolute path; None for a descriptor."""
    try:
        return os.path.abspath(os.fsdecode(path)) if isinstance(path, str | bytes | os.PathLike) else None  # noqa: PTH100
    except (ValueError, OSError):
        return None


def _is_asked_by_user() -> bool:
    """Return whether the first caller outside Python's own library is user code."""
    frame = sys._getframe(2)
    while frame.f_back and Path(frame.f_code.co_filename).name in PASSING_ON:
        frame = frame.f_back
    name = frame.f_code.co_filename
    return not name.startswith("<frozen") and is_users(Path(name))


def _caller() -> str:
    """Return the file of the code that caused an event, two calls above the caller of this function."""
    return sys._getframe(3).f_code.co_filename


def _source(path: Path) -> Path:
    """Return the source of a compiled module."""
    if path.suffix != ".pyc":
        return path
    try:
        return Path(importlib.util.source_from_cache(str(path)))
    except ValueError:
        return path


def _mapped() -> set[str]:
    """Return the files mapped into this process's memory; empty if the system does not report them."""
    try:
        lines = Path("/proc/self/maps").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return set()
    places = (line.split(maxsplit=5) for line in lines)
    paths = {fields[5] for fields in places if len(fields) == 6 and fields[5].startswith("/")}
    return {path for path in paths if not path.startswith(SYSTEM) and ".so" not in Path(path).suffixes}
