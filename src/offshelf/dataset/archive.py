"""Unpacking of tar and zip archives that strangers made: whole or not at all, and nowhere but in one folder."""

import shutil
import tarfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from offshelf.errors import DatasetError


def unpack(archive: Path, folder: Path) -> None:
    """Unpack into `folder`, over what is there; done again, it gives the same.

    Raises:
        DatasetError: it is damaged, or has a member that would lie outside of the folder.
    """
    fresh = folder / f".{archive.name}.unpacking"
    shutil.rmtree(fresh, ignore_errors=True)  # of a process that was killed
    fresh.mkdir(parents=True)
    try:
        _extract(archive, fresh)
        _merge(fresh, folder)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error, NotImplementedError) as error:
        reason = str(error) or type(error).__name__
        raise DatasetError(
            f"{archive} cannot be unpacked: {reason.rstrip('.')}. Remove it to have it downloaded anew."
        ) from error
    except OSError as error:
        raise DatasetError(f"{archive} cannot be unpacked: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _extract(archive: Path, folder: Path) -> None:
    """By content, not name: servers that compress in transit may leave a plain tar under the name of a .tar.gz."""
    if not zipfile.is_zipfile(archive):
        with tarfile.open(archive) as members:
            members.extractall(folder, filter="data")
        return
    with zipfile.ZipFile(archive) as files:
        for name in files.namelist():
            # zipfile itself would drop such parts and write to another place than the archive says.
            if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name.replace("\\", "/")).parts:
                raise zipfile.BadZipFile(f"'{name}' would be outside of the folder")
        files.extractall(folder)


def _merge(source: Path, target: Path) -> None:
    """Move a tree into another, which may have some of its folders."""
    for entry in source.iterdir():
        place = target / entry.name
        if entry.is_dir() and place.is_dir():
            _merge(entry, place)
        else:
            entry.replace(place)
