"""The source files of a user's module: its own, and those of all user modules that it imports.

They are found in the text of the sources, including relative imports and imports inside functions, so that nothing is
executed. Installed packages are not searched: their releases count.
"""

import ast
import importlib.util
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader, FileFinder, ModuleSpec, SourceFileLoader
from pathlib import Path
from typing import Any

from offshelf.backbone.weights_file import content_digest

OURS = ("offshelf", "torch", "torchvision", "timm", "numpy", "PIL", "openvino")
"""Packages whose releases are recorded with the features (`offshelf.releases`)."""
LONGEST_NAME = 300
LOADERS: tuple[tuple[Any, list[str]], ...] = ((ExtensionFileLoader, EXTENSION_SUFFIXES), (SourceFileLoader, [".py"]))


@dataclass
class Sources:
    """The files and packages that a module and its imports refer to."""

    modules: dict[str, Path] = field(default_factory=dict)
    """User modules, by dotted name."""
    packages: set[str] = field(default_factory=set)
    """Top-level names of installed packages that the modules import."""
    ours: set[str] = field(default_factory=set)
    """Packages of OURS that the modules import."""
    named: set[Path] = field(default_factory=set)
    """Files that strings in the sources name, relative to the working directory or the source's folder."""


def sources(module: str) -> Sources:
    """Return everything that a user's module imports, directly or not; empty if there is no such module."""
    found = Sources()
    left = [module]
    seen = set[str]()
    while left:
        name = left.pop()
        if name in seen:
            continue
        seen.add(name)
        left += _visit(name, found, is_first=name == module)
    return found


def _visit(name: str, found: Sources, is_first: bool) -> list[str]:
    """Add one module. Return the names that it may import, its parent packages first."""
    parents = [name[:end] for end, letter in enumerate(name) if letter == "."]
    first = name.partition(".")[0]
    if first in OURS:
        found.ours.add(first)
    if first in OURS or first in sys.stdlib_module_names:
        return []
    whole = find(first)
    is_package = whole is not None and bool(whole.origin) and _is_installed(Path(str(whole.origin)))
    if is_package:
        found.packages.add(first)
    if is_package and not is_first:
        return []
    spec = find(name)
    if spec is None or not spec.origin or spec.origin in ("built-in", "frozen"):
        return parents  # a name in a module, a namespace package, or a part of Python
    path = next((each for each in (Path(spec.origin), *Path(spec.origin).parents) if each.is_file()), None)
    if path is None:
        return parents
    found.modules[name] = path  # or the archive that contains it
    if path.suffix != ".py" or is_package:
        return parents
    text = _text(path, content_digest(path))
    for constant in text.constants:
        found.named |= {place for place in (Path(constant).absolute(), path.parent / constant) if _is_file(place)}
    package = name if spec.submodule_search_locations is not None else name.rpartition(".")[0]
    return [*parents, *(each for entry in text.imports for each in _absolute(entry, package))]


def find(name: str) -> ModuleSpec | None:
    """Return the spec of a module, without executing its parent packages; None if there is none."""
    first, *rest = name.split(".")
    try:
        spec = importlib.util.find_spec(first)
    except (ImportError, ValueError):  # __main__ has none
        return None
    for end in range(len(rest)):
        if spec is None or spec.submodule_search_locations is None:
            return None
        spec = _inside(".".join((first, *rest[: end + 1])), list(spec.submodule_search_locations))
    return spec


def _inside(name: str, folders: list[str]) -> ModuleSpec | None:
    """Return the spec of a module in one of a package's folders; a folder without `__init__.py` is a namespace."""
    portions: list[str] = []
    for folder in folders:
        found = FileFinder(folder, *LOADERS).find_spec(name)
        if found is not None and found.loader is not None:
            return found
        portions += (found.submodule_search_locations or []) if found is not None else []
    if not portions:
        return None
    namespace = ModuleSpec(name, None, is_package=True)
    namespace.submodule_search_locations = portions
    return namespace


@dataclass(frozen=True)
class _Text:
    imports: tuple[tuple[str, tuple[str, ...], int], ...]
    """Module, imported names and level, as in `from ..module import names`."""
    constants: tuple[str, ...]
    """Strings that look like names of files."""


@lru_cache
def _text(path: Path, digest: str) -> _Text:
    """Return what the source of this digest imports and names; nothing if it is not Python."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, OSError):  # Python reports it on import
        return _Text((), ())
    imports: list[tuple[str, tuple[str, ...], int]] = []
    constants: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imports += [(alias.name, (), 0) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            imports.append((node.module or "", tuple(alias.name for alias in node.names), node.level))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and _is_name(node.value):
            constants.append(node.value)
    return _Text(tuple(imports), tuple(constants))


def _absolute(entry: tuple[str, tuple[str, ...], int], package: str) -> Iterator[str]:
    """Yield dotted names that an import may load: the module, and each name that could be a module in it."""
    module, names, level = entry
    if level:
        base = package.split(".")[: len(package.split(".")) - level + 1] if package else []
        module = ".".join([*base, module] if module else base)
    if module:
        yield module
    for name in names:
        if name != "*":
            yield f"{module}.{name}" if module else name


def _is_name(text: str) -> bool:
    return 0 < len(text) <= LONGEST_NAME and "." in text and "\n" not in text and "\0" not in text


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


@lru_cache
def _is_installed(path: Path) -> bool:
    """Return whether a file belongs to Python or an installed package rather than to the user."""
    return bool({"site-packages", "dist-packages"} & set(path.parts)) or _is_standard(path)


@lru_cache
def _is_standard(path: Path) -> bool:
    if {"site-packages", "dist-packages"} & set(path.parts):
        return False
    folders = {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")}
    return any(path.is_relative_to(folder) for folder in folders if folder)


def is_users(path: Path) -> bool:
    """Return whether a file may be the user's: not Python's, an installed package's, or offshelf's own."""
    return not _is_installed(path) and not path.is_relative_to(Path(__file__).parents[1])
