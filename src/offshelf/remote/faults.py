"""What went wrong with a bucket or a site, in one sentence that shows no credentials."""

import re

from offshelf.errors import RemoteError
from offshelf.remote.url import Url


class ObjectError(Exception):
    """A fault of one object; others of its bucket may be sound."""


class GoneError(ObjectError):
    """There is no such object."""


class ChangedError(ObjectError):
    """An object is not what it was."""

    @staticmethod
    def of(url: Url) -> "ChangedError":
        """Return the fault of an object that another one has replaced."""
        return ChangedError(f"{url} was changed while it was in use; start again.")


EXPORT = 'eval "$(aws configure export-credentials --format env)"'
CREDENTIALS = {
    "s3": f"AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN; {EXPORT} sets those of a profile; "
    "AWS_SKIP_SIGNATURE=true reads a public bucket",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS; GOOGLE_SKIP_SIGNATURE=true reads a public bucket",
    "az": "AZURE_STORAGE_ACCOUNT_NAME, and AZURE_STORAGE_ACCOUNT_KEY or AZURE_STORAGE_SAS_TOKEN; "
    "AZURE_SKIP_SIGNATURE=true reads a public container",
}
"""Environment variables, which obstore reads."""

_EXPIRED = re.compile(r"Expired|InvalidToken|TokenRefreshRequired", re.IGNORECASE)
_CODE = re.compile(r"<Code>(\w+)</Code>")
_STATUS = re.compile(r"status code: (\d{3})(?: ([\w ]+))?")
_TRIES = re.compile(r"after (\d+) retries")
_NO_CREDENTIALS = re.compile(
    r"169\.254\.169\.254|metadata\.google|MissingCredential|Missing(Account|AccessKey|SecretAccessKey)"
    r"|Account must be specified|computeMetadata|NoCredential",
    re.IGNORECASE,
)


def bucket_fault(url: Url, error: Exception) -> Exception:
    """Return the fault that an exception of obstore stands for."""
    said = str(error)
    name = type(error).__name__
    place = f"{url.scheme}://{url.place}"
    code = _CODE.search(said)
    found = _STATUS.search(said)
    status = int(found[1]) if found else 0
    why = " ".join(filter(None, [found[0].removeprefix("status code: ") if found else "", code[1] if code else ""]))
    if "NoSuchBucket" in said or "ContainerNotFound" in said:
        return RemoteError(f"There is no bucket {place}, at this server and in this region.")
    if isinstance(error, FileNotFoundError) or status == 404:
        return GoneError(f"{url} does not exist.")
    if name == "PreconditionError" or status in (409, 412):
        return ChangedError.of(url)
    if "RequestTimeTooSkewed" in said:
        return RemoteError(
            f"The clock of this machine is minutes away from that of the server of {place}, which accepts no such "
            f"requests ({why}): set it."
        )
    if _EXPIRED.search(said):
        return RemoteError(f"The credentials for {place} have expired ({why or 'as the server says'}): renew them.")
    if _NO_CREDENTIALS.search(said):
        return RemoteError(f"There are no credentials for {place} in the environment: {CREDENTIALS[url.scheme]}.")
    if status in (401, 403) or name in ("PermissionDeniedError", "UnauthenticatedError"):
        return RemoteError(
            f"The server of {place} refuses access to {url} ({why or name}). Credentials come from the environment: "
            f"{CREDENTIALS[url.scheme]}."
        )
    return RemoteError(_failure(url, place, said, why))


def _failure(url: Url, place: str, said: str, why: str) -> str:
    if "illegal character" in said or "Error parsing Path" in said or "InvalidPath" in said:
        return (
            f"{place} has keys below {url.key or '/'} that obstore does not read, with line breaks or names . and ..: "
            "rename them, or choose a folder without them."
        )
    if "redirect" in said.lower():
        return f"{place} is in another region: set AWS_REGION."
    tries = _TRIES.search(said)
    often = f" {int(tries[1]) + 1} times" if tries else ""
    if why:
        return f"The server of {place} has failed{often} ({why}): try again later."
    return f"The server of {place} does not answer, or breaks off{often} ({_reason(said)}): check address and network."


def _reason(said: str) -> str:
    """Return what obstore says of the connection: its last kind, in words."""
    if "TimedOut" in said or "timed out" in said or "kind: Timeout" in said:
        return "timeout"
    if "kind: Connect" in said:
        return "no connection"
    if "error decoding response body" in said or "kind: Interrupted" in said or "IncompleteMessage" in said:
        return "connection lost"
    return "connection"
