"""The origin of a user's network: everything that its numbers depend on.

Its sources are read each time (`sources`). The files that it reads while it is built are found by building it once
under observation (`watching`). A record in the home keeps them, with their digests and that of the resulting tensors.
While none of them changes, the network need not be built to know its identity.
"""

import json
import os
import platform
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from offshelf.backbone.sources import OURS, Sources, find
from offshelf.backbone.weights_file import content_digest
from offshelf.errors import BackboneError, StoreError
from offshelf.home import home_dir
from offshelf.identity import digest

if TYPE_CHECKING:
    from torch import nn

    from offshelf.backbone.watching import Watch

ABSENT = "absent"

_only_known = ContextVar("only_known", default=False)

_built: "dict[str, Origin]" = {}
"""Origins of networks that this process has built, by digest of their specs."""


class NotBuiltError(BackboneError):
    """There is no record of a network's origin."""


@contextmanager
def only_known() -> Iterator[None]:
    """Raise NotBuiltError, within the block, instead of building a user's network to find its origin."""
    token = _only_known.set(True)
    try:
        yield
    finally:
        _only_known.reset(token)


@dataclass(frozen=True)
class Origin:
    """Everything that a network was made from, and the digest of the result."""

    sources: Mapping[str, str]
    """Digests of the sources, by module or by path in a repository."""
    packages: Mapping[str, str]
    """Installed packages that the sources import (see `_installed`), except those recorded with the features."""
    files: Mapping[str, str]
    """Digests of the files that were read, and of the names in listed folders, by path."""
    variables: Mapping[str, str]
    """Digests of the environment variables that were read."""
    tensors: str
    """Digest of the network's parameters and buffers."""

    def identity(self, root: Path) -> dict[str, Any]:
        """Return the origin as data. Files below `root` are named relative to it, so that a project may be moved."""
        files = {_place(Path(path), root): content for path, content in self.files.items()}
        return {**asdict(self), "files": files}


def origin(
    spec: Mapping[str, Any],
    look: Callable[[], Sources],
    build: Callable[[], "nn.Module"],
    weights: Path | None,
    side: int,
) -> Origin:
    """Return the origin of a spec's network; build the network if there is no record or something has changed.

    Args:
        spec: Arguments of `build`, except files, as plain data; strings may be paths of files that `build` reads.
        look: Finds the current sources.
        build: Makes the network, from newly imported modules.
        weights: A file of weights that `build` loads and that has its own identity.
        side: Side of the network's square images, in pixels.

    Raises:
        NotBuiltError: The network would have to be built inside `only_known`.
    """
    name = digest({"spec": dict(spec), **_under()})
    held = _built.get(name) or _read(name)
    if held and held == _today(held, look()):
        return held
    if _only_known.get():
        raise NotBuiltError("The network has not been built yet, or has changed since.")
    watch, tensors = _watched(build, side)
    if watch.filled:  # a cache file, which later builds read instead of making it
        watch, tensors = _watched(build, side)
    for text in texts(spec):
        watch.hand_over(text)
    found = look()
    static = {path.absolute() for path in found.modules.values()} | ({weights.absolute()} if weights else set())
    read = [path for path in dict.fromkeys([*sorted(found.named), *watch.files]) if path.absolute() not in static]
    files = _digests([*read, *watch.folders])
    made = Origin(_sources(found), _releases(found.packages), files, _variables(watch.variables), tensors)
    _built[name] = made
    if not watch.has_unseen:  # else each process builds the network for its tensors
        _write(name, made)
    return made


def require(module: "nn.Module", expected: Origin, name: str) -> None:
    """Reject a network whose tensors have changed although nothing that it was seen to read has.

    Raises:
        BackboneError: The tensors differ; the message names possible causes.
    """
    if tensors_digest(module) != expected.tensors:
        raise BackboneError(
            f"{name} came out with other weights than before, from the same sources and files: it depends on something "
            "that offshelf cannot see, such as the time, a connection, an environment variable or numbers drawn "
            "without the seed. Let it depend on its arguments (backbone.kwargs) and files alone."
        )


def tensors_digest(module: "nn.Module") -> str:
    """Return the XXH3 of names, types, shapes and bytes of all parameters and buffers."""
    import torch
    from xxhash import xxh3_128

    state = xxh3_128()
    named = {**module.state_dict(), **dict(module.named_buffers())}
    for name in sorted(named):
        value = named[name]
        if not isinstance(value, torch.Tensor):  # packed parameters of a quantised module
            state.update(f"{name} {value!r}".encode())
            continue
        plain = value.detach().cpu()
        plain = (
            plain.int_repr() if plain.is_quantized else plain.to_dense() if plain.is_sparse else plain
        ).contiguous()
        state.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        if plain.numel():
            state.update(plain.reshape(-1).view(torch.uint8).numpy().data)
    return str(state.hexdigest())


def _watched(build: Callable[[], "nn.Module"], side: int) -> "tuple[Watch, str]":
    """Build a network and run it once. Return the observations, and the digest of its tensors."""
    import torch  # noqa: F401 - before the watch

    from offshelf.backbone.watching import watching

    with watching() as watch:
        module = build()
        tensors = tensors_digest(module)
        _pass(module, side)
    return watch, tensors


def texts(value: Any) -> Iterator[str]:
    """Yield all strings in nested containers."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from texts(list(value.values()))
    elif isinstance(value, Iterable):
        for each in value:
            yield from texts(each)


def _pass(module: "nn.Module", side: int) -> None:
    """Run one pass, for what it imports or reads. Its failure is reported later, when the pass is needed."""
    import torch

    from offshelf.backbone.running import in_one_sentence

    with suppress(BackboneError), in_one_sentence(""), torch.no_grad():
        module(torch.zeros(1, 3, side, side))


def _under() -> dict[str, str]:
    """Return what relative paths depend on, and random weights besides their seed."""
    releases = {name: version(name) for name in ("torch", "numpy")}
    return {**releases, "machine": platform.machine(), "folder": str(Path.cwd())}


def _variables(names: Iterable[str]) -> dict[str, str]:
    """Return digests of variables, since a value may be a secret."""
    return {name: digest(os.environ.get(name)) for name in sorted(names)}


def _today(held: Origin, found: Sources) -> Origin:
    """Return the record with everything as it is now."""
    files, variables = _digests(map(Path, held.files)), _variables(held.variables)
    return Origin(_sources(found), _releases(found.packages), files, variables, held.tensors)


def _sources(found: Sources) -> dict[str, str]:
    return {name: _digest(path) for name, path in sorted(found.modules.items())}


def _digests(paths: Iterable[Path]) -> dict[str, str]:
    return {str(path): _digest(path) for path in paths}


def _digest(path: Path) -> str:
    try:
        return digest(sorted(each.name for each in path.iterdir())) if path.is_dir() else content_digest(path)
    except OSError:
        return ABSENT


def _releases(packages: Iterable[str]) -> dict[str, str]:
    return {name: _installed(name) for name in sorted(packages) if name not in OURS}


def _installed(package: str) -> str:
    """Return releases of a package's distributions, and a digest of the installation: a release may be reinstalled."""
    found = [name for name in (package,) if _is_distribution(name)] or packages_distributions().get(package, [])
    if found:
        names = sorted(set(found))
        return ", ".join(f"{name} {version(name)} {digest(_record_of(name))}" for name in names)
    spec = find(package)  # a folder that is not installed
    folder = Path(spec.origin).parent if spec and spec.origin else None
    files = sorted(folder.rglob("*.py")) if folder and spec and spec.submodule_search_locations else []
    return digest({str(path.relative_to(str(folder))): _digest(path) for path in files})


def _is_distribution(name: str) -> bool:
    try:
        return bool(version(name))
    except PackageNotFoundError:
        return False


def _record_of(name: str) -> list[str]:
    """Return paths and digests of a distribution's files, without those that differ between installations."""
    lines = (distribution(name).read_text("RECORD") or "").splitlines()
    return sorted(
        line for line in lines if ",sha256=" in line and not line.startswith("..") and ".dist-info/" not in line
    )


def _place(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def _record(name: str) -> Path:
    return home_dir() / "networks" / f"{name}.json"


def _read(name: str) -> Origin | None:
    try:
        return Origin(**json.loads(_record(name).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, StoreError):
        return None


def _write(name: str, made: Origin) -> None:
    """Write a record. If that fails, the network is built again the next time."""
    try:
        path = _record(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{name}.{os.getpid()}.tmp")
        temporary.write_text(json.dumps(asdict(made)), encoding="utf-8")
        temporary.replace(path)
    except (OSError, StoreError):
        return
