"""Safe unpacking of tar and zip archives from untrusted sources, complete or not at all, into one folder.

Every member is checked here, on any Python: nothing depends on the filters of `tarfile`, some releases of which can be
led out of the folder. Files are written while there are no links; links come last, each to something in the folder.
"""

import lzma
import os
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Literal

from offshelf.errors import DatasetError

BLOCK = 1 << 20
"""Bytes copied at a time."""
LIMITS = (100, 1 << 30)
"""Largest unpacked size: this multiple of the archive's size, or this number of bytes if that is more."""


class MemberError(ValueError):
    """A member does not belong into an archive of data."""


@dataclass(frozen=True)
class Member:
    """The description of a member in an archive."""

    name: str
    kind: Literal["file", "folder", "link", "hard link"]
    size: int
    open: Callable[[], IO[bytes]]
    target: str = ""
    """Target of a link, relative to the link; of a hard link, relative to the top of the archive."""


def unpack(archive: Path, folder: Path) -> None:
    """Unpack into `folder`, over existing files; repeated, it gives the same result.

    Raises:
        DatasetError: The archive is damaged, or has a member that would be outside the folder, is not a plain file,
            folder or link within it, is repeated, or is implausibly large.
    """
    fresh = folder / f".{archive.name}.unpacking"
    shutil.rmtree(fresh, ignore_errors=True)  # left by a process that was killed
    fresh.mkdir(parents=True)
    try:
        _extract(archive, fresh)
        _merge(fresh, folder)
    except (MemberError, tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error, lzma.LZMAError) as error:
        reason = "it is not a known archive, or damaged" if "\n" in str(error) else str(error)
        reason = reason or type(error).__name__
        raise DatasetError(
            f"{archive} cannot be unpacked: {reason.rstrip('.')}. Remove it to download it again."
        ) from error
    except (NotImplementedError, RuntimeError) as error:  # zipfile's, for unsupported methods and passwords
        raise DatasetError(f"{archive} cannot be unpacked: {str(error).rstrip('.')}. Unpack it by hand.") from error
    except OSError as error:
        raise DatasetError(f"{archive} cannot be unpacked: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _extract(archive: Path, folder: Path) -> None:
    limit = min(max(LIMITS[0] * archive.stat().st_size, LIMITS[1]), shutil.disk_usage(folder).free)
    places: set[str] = set()
    links: list[tuple[Path, Member]] = []
    with _opened(archive) as members:
        for member in members:
            parts = _parts(member.name)
            place = folder.joinpath(*parts)
            if member.kind == "folder":
                place.mkdir(parents=True, exist_ok=True)
                continue
            if "/".join(parts) in places or not parts:
                raise MemberError(f"'{member.name}' occurs twice" if parts else "a file has no name")
            places.add("/".join(parts))
            place.parent.mkdir(parents=True, exist_ok=True)
            if member.kind != "file":
                links.append((place, member))
                continue
            limit -= member.size
            if limit < 0:
                raise MemberError(
                    f"from '{member.name}' on it is larger than the disk or any plausible archive of its size"
                )
            _copy(member, place)
    for place, member in _in_order(folder, links):
        _link(folder, place, member)


def _parts(name: str) -> tuple[str, ...]:
    """Split a path below the folder. Raises MemberError for any other."""
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or (path.parts and path.parts[0].endswith(":")):
        # zipfile itself would drop such parts and write to another place than the archive says.
        raise MemberError(f"'{name}' would be outside the folder")
    if "\0" in name:
        raise MemberError("a name contains a zero byte")
    return path.parts


def _copy(member: Member, place: Path) -> None:
    """Write exactly what was announced. Raises MemberError if there is less or more."""
    left = member.size
    with member.open() as source, place.open("xb") as target:
        while block := source.read(BLOCK):
            left -= len(block)
            if left < 0:
                break
            target.write(block)
    if left:
        raise MemberError(f"'{member.name}' has another size than announced")


def _target(folder: Path, place: Path, member: Member) -> Path:
    """Return the target of a link. Raises MemberError if it is outside."""
    start = folder if member.kind == "hard link" else place.parent
    target = Path(os.path.normpath(start / member.target))
    if PurePosixPath(member.target).is_absolute() or not target.is_relative_to(folder):
        raise MemberError(f"'{member.name}' is a link to {member.target}, which would be outside the folder")
    return target


def _in_order(folder: Path, links: list[tuple[Path, Member]]) -> list[tuple[Path, Member]]:
    """Sort links after their targets. Raises MemberError for a cycle."""
    open_links = {place: member for place, member in links}
    ordered: list[tuple[Path, Member]] = []
    while open_links:
        ready = [place for place, one in open_links.items() if not _through(_target(folder, place, one), open_links)]
        if not ready:
            raise MemberError(f"'{next(iter(open_links.values())).name}' is a link in a cycle")
        ordered += [(place, open_links.pop(place)) for place in ready]
    return ordered


def _through(target: Path, links: Collection[Path]) -> bool:
    """Return whether a path is, or leads through, one of these links."""
    return any(place in links for place in (target, *target.parents))


def _link(folder: Path, place: Path, member: Member) -> None:
    """Make a hard link to a file. Raises MemberError if the target does not exist, or is outside the folder."""
    real = Path(os.path.realpath(_target(folder, place, member)))  # it may lead through other links
    if not real.exists() or not real.is_relative_to(folder.resolve()):
        raise MemberError(f"'{member.name}' is a link to {member.target}, which it does not contain")
    if place.exists():
        raise MemberError(f"'{member.name}' occurs twice")
    if real.is_dir():
        place.symlink_to(os.path.relpath(real, place.parent.resolve()), target_is_directory=True)
    else:
        try:
            place.hardlink_to(real)
        except OSError:  # a file system without hard links
            shutil.copyfile(real, place)


@contextmanager
def _opened(archive: Path) -> Iterator[Iterator[Member]]:
    """Open by content, not name: servers that compress in transit may leave a plain tar named .tar.gz."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as files:
            yield (_of_zip(files, one) for one in files.infolist())
        return
    with tarfile.open(archive) as members:
        yield (_of_tar(members, one) for one in members)


def _of_zip(files: zipfile.ZipFile, info: zipfile.ZipInfo) -> Member:
    mode = info.external_attr >> 16
    if stat.S_ISLNK(mode):
        if info.file_size > 4096:
            raise MemberError(f"'{info.filename}' is a link of {info.file_size} characters")
        return Member(info.filename, "link", 0, lambda: files.open(info), files.read(info).decode(errors="replace"))
    return Member(info.filename, "folder" if info.is_dir() else "file", info.file_size, lambda: files.open(info))


def _of_tar(members: tarfile.TarFile, info: tarfile.TarInfo) -> Member:
    def content() -> IO[bytes]:
        found = members.extractfile(info)
        if found is None:
            raise MemberError(f"'{info.name}' has no content")
        return found

    if info.issym() or info.islnk():
        return Member(info.name, "link" if info.issym() else "hard link", 0, content, info.linkname)
    if info.isdir():
        return Member(info.name, "folder", 0, content)
    if info.issparse() or not info.isreg():
        raise MemberError(f"'{info.name}' is a {'sparse file' if info.issparse() else 'device or the like'}")
    return Member(info.name, "file", info.size, content)


def _merge(source: Path, target: Path) -> None:
    """Move a tree into another, which may have some of its folders."""
    for entry in source.iterdir():
        place = target / entry.name
        if entry.is_dir() and not entry.is_symlink() and place.is_dir():
            _merge(entry, place)
        else:
            if entry.is_symlink() and place.is_symlink():
                place.unlink()
            entry.replace(place)
