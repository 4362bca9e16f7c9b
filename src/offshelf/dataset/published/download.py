"""Downloads of published files, from the first mirror that has them: complete and verified, or not at all.

pooch downloads and verifies too, but it restarts a broken download and supports one address per file. The hosts of old
data sets break off, move and vanish.
"""

import hashlib
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from offshelf import __version__
from offshelf.errors import DatasetError

log = logging.getLogger(__name__)

ATTEMPTS = 3
"""Number of times that a broken transfer is resumed, for each mirror."""
TIMEOUT = 30
"""Seconds without data before a transfer counts as broken."""
LOOPBACK = ("localhost", "127.0.0.1", "::1")
"""Hosts of this machine, which need no encryption."""
BLOCK = 1 << 20
"""Bytes read at a time."""


@dataclass(frozen=True)
class Remote:
    """A published file of a data set."""

    name: str
    urls: tuple[str, ...]
    """Present and former addresses, in the order of attempts."""
    checksum: str | None = None
    """`md5:…` or `sha256:…`; None if none was published."""
    holds: tuple[str, ...] = ()
    """Content of an archive: paths in the data set's folder, of which one suffices. Empty for a file that is used
    unchanged."""
    inner: tuple[str, ...] = ()
    """Archives inside the archive that are unpacked too, by path in the data set's folder."""


def fetch(
    remote: Remote,
    folder: Path,
    mirrors: Sequence[str] = (),
    verify: bool = True,
    allow_unverified: bool = False,
) -> Path:
    """Return the file in `folder`, downloaded if it is missing; a broken download is resumed.

    Args:
        remote: The published file.
        folder: Folder of the file.
        mirrors: URLs of folders that are tried before the published addresses.
        verify: Whether the checksum must match.
        allow_unverified: Whether to accept files with neither a published checksum nor https.

    Raises:
        DatasetError: No mirror has the file, or the file in `folder` is a different one.
    """
    file = folder / remote.name
    if file.is_file():
        if verify:
            check_file(file, remote)
        return file
    reasons = []
    need_tls = verify and not remote.checksum and not allow_unverified
    for url in (*(f"{mirror.rstrip('/')}/{remote.name}" for mirror in mirrors), *remote.urls):
        part = folder / f".{remote.name}.{hashlib.sha256(url.encode()).hexdigest()[:8]}.part"
        try:
            _receive_all(url, part, need_tls)
            if verify and remote.checksum:
                _compare(part, remote.checksum)
        except (OSError, HTTPException, DatasetError) as error:
            reasons.append(f"{url}: {_reason(error)}")
            continue
        part.replace(file)
        for other in folder.glob(f".{remote.name}.*.part"):
            other.unlink()
        if verify:
            check_file(file, remote)
        if not remote.checksum:
            log.warning(
                "%s has no published checksum; the file from %s is accepted, and compared from now on.", file.name, url
            )
        return file
    raise DatasetError(f"{remote.name} could not be downloaded ({'; '.join(reasons) or 'no address is known'})")


def check_file(file: Path, remote: Remote) -> None:
    """Compare a file with its published checksum or, if there is none, with the one recorded on first use.

    Raises:
        DatasetError: The file is different or damaged.
    """
    record = file.with_name(f"{file.name}.sha256")
    if remote.checksum is None and not record.is_file():
        with suppress(OSError):  # a read-only folder
            record.write_text(f"{_checksum(file, 'sha256')}  {file.name}\n")  # in the format of sha256sum
        return
    _compare(file, remote.checksum or f"sha256:{record.read_text().split()[0]}")


def _compare(file: Path, checksum: str) -> None:
    kind, _, expected = checksum.partition(":")
    found = _checksum(file, kind)
    if found != expected:
        if file.suffix == ".part":
            file.unlink()  # otherwise the next attempt would resume it
            raise DatasetError(f"it has the {kind} {found} instead of {expected}")
        raise DatasetError(
            f"{file} has the {kind} {found} instead of {expected}; remove it to download it again, or continue with "
            "dataset.verify=false."
        )


def _checksum(file: Path, kind: str) -> str:
    with file.open("rb") as data:
        return hashlib.file_digest(data, kind).hexdigest()


def _receive_all(url: str, part: Path, need_tls: bool) -> None:
    """Fill `part`, with new attempts if the connection breaks."""
    if need_tls:
        _require_tls(url)
    part.parent.mkdir(parents=True, exist_ok=True)
    for left in reversed(range(ATTEMPTS)):
        try:
            _receive(url, part, need_tls)
            return
        except (ConnectionError, TimeoutError, HTTPException):
            if not left:
                raise


def _require_tls(url: str) -> None:
    """Raise URLError for an address whose answer may have been changed in transit."""
    address = urlsplit(url)
    if address.scheme not in ("https", "file") and address.hostname not in LOOPBACK:
        raise URLError(
            "no checksum is published and the address is not https, so that the file cannot be verified; "
            "accept it with dataset.allow_unverified=true"
        )


def _receive(url: str, part: Path, need_tls: bool) -> None:
    """Append the missing rest to `part`. Raises ConnectionError if it is incomplete."""
    have = part.stat().st_size if part.is_file() else 0
    headers = {"User-Agent": f"offshelf/{__version__}", **({"Range": f"bytes={have}-"} if have else {})}
    try:
        response: HTTPResponse = urlopen(Request(url, headers=headers), timeout=TIMEOUT)
    except HTTPError as error:
        with error:
            if error.code == 416 and error.headers.get("Content-Range") == f"bytes */{have}":
                return  # it was already complete
            raise
    with response:
        if need_tls:
            _require_tls(response.url)  # after redirects
        if response.headers.get_content_type() == "text/html":
            raise URLError("the answer is a web page instead of the file")
        resumed = (response.headers.get("Content-Range") or "").startswith(f"bytes {have}-")
        if response.status == 206 and not resumed:
            raise URLError("the answer is not the requested part of the file")
        length = response.headers.get("Content-Length")
        received = _copy(response, part, have if resumed else 0, int(length) if length else None)
    if length and received < int(length):
        raise ConnectionError(f"the connection broke after {received:,} of {int(length):,} bytes")


def _copy(response: HTTPResponse, part: Path, have: int, length: int | None) -> int:
    """Write a response after the first `have` bytes of `part`, with a progress bar. Return the bytes received."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

    from offshelf.terminal import terminal

    console = terminal(stderr=True)
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    progress = Progress(*columns, console=console, disable=not console.is_terminal)
    received = 0
    log.info("Downloading %s", response.url)
    with part.open("ab" if have else "wb") as file, progress as bar:
        task = bar.add_task("download", total=have + length if length else None, completed=have)
        while block := response.read(BLOCK):
            file.write(block)
            received += len(block)
            bar.advance(task, len(block))
    return received


def _reason(error: BaseException) -> str:
    if isinstance(error, HTTPError):
        return f"{error.code} {error.reason}"
    inner = error.reason if isinstance(error, URLError) else error
    return str(getattr(inner, "strerror", None) or inner or type(inner).__name__)
