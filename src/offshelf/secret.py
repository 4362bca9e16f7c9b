"""Masking of passwords and tokens: no record, file or terminal shows one; `***` replaces it.

Everything that is written of a config, a command or an error passes through `masked`. Secrets are the value of a name
such as `password`, `token` or `api_key`; passwords and parameters of such names in URLs; and the value of an
environment variable of such a name, wherever it occurs.
"""

import hashlib
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

MASK = "***"

Replace = Callable[[str], str]
"""Function from a secret to its replacement."""

_ENDINGS = (
    "password|passwd|passphrase|passcode|passwort|secret|token|credentials?|api[_-]?key|access[_-]?key|secret[_-]?key"
    "|private[_-]?key|account[_-]?key|subscription[_-]?key"
)
_NAME = rf"(?:[\w.\-/@+~]*(?:{_ENDINGS}|[._\-](?:pw|pass|pat))(?:[_-]?\d+)?|(?:[\w.\-/@+~]*[._\-/+~])?pwd)"
_SECRET_NAME = re.compile(_NAME, re.IGNORECASE)
_NUMERIC_NAME = re.compile(r".*(?:pass\w*|pwd|pw|secret)", re.IGNORECASE)
"""Names whose numeric value is a secret: `token=4` may be a count of tokens."""

_QUERY_NAME = (
    r"(?:key|sig|signature|auth|odbc_connect|X-(?:Amz|Goog)-(?:Signature|Credential|Security-Token)|AWSAccessKeyId)"
)
_HEADER = r"Authorization[\"']? ?[=:] ?[\"']?(?:Bearer|Basic|Token) "
_VALUE = r"\"[^\"]+\"|'[^']+'|(?!\$\{)[^\s&;,\"'{}\[\]()<>]+"
_TEXT = (
    # scheme://user:password@host, the password up to the last @ before the path, even if it has special characters
    (re.compile(r"(?<=://)(?P<before>[^/@:\s\"'<>]+:)(?P<secret>[^/\s\"'<>]+)(?=@)"), False),
    (re.compile(r"(?<=://)(?P<before>[^/@:\s\"'<>]+:)(?P<secret>(?!\d+/)[^\s\"'<>?,]+)(?=@)"), False),
    # https://token@host and https://token:@host, for servers where the user is the secret
    (re.compile(r"(?P<before>(?<=https://)|(?<=http://))(?P<secret>[^/@:\s\"'<>]+:?)(?=@)", re.IGNORECASE), False),
    (re.compile(r"(?P<before>(?<=://):)(?P<secret>[^/\s\"'<>]+)(?=@)"), False),
    (re.compile(rf"(?P<before>[?&]{_QUERY_NAME}=)(?P<secret>[^&\s\"'<>#]+)", re.IGNORECASE), False),
    (re.compile(rf"(?P<before>\b{_HEADER})(?P<secret>[^\s\"']+)", re.IGNORECASE), False),
    (re.compile(rf"(?P<before>(?<![\w.\-/@+~])(?:pass|pw)=)(?P<secret>{_VALUE})", re.IGNORECASE), False),
    # name=value, name: value, "name": "value"
    (re.compile(rf"(?P<before>\b{_NAME}[\"']? ?(?:= ?|: ?)\\?)(?P<secret>{_VALUE})", re.IGNORECASE), True),
)  # fmt: skip

_NOT_SECRET = re.compile(r"\*\*\*|\$\{.*\}|null|none|true|false|\?\?\?|\d*", re.IGNORECASE)
"""References to a secret, and values that are not secret."""

_SHORTEST = 6
"""Shortest value, in characters, of an environment variable that is searched for in other texts."""


def is_secret_name(name: str) -> bool:
    """Return whether the value of a key, parameter or variable of this name is a secret."""
    return bool(_SECRET_NAME.fullmatch(name)) and name not in ("PWD", "OLDPWD")


def masked(value: Any) -> Any:
    """Return a text, or a container with texts, with its secrets masked; return other values unchanged."""
    return _replaced(value, lambda _: MASK)


def fingerprinted(value: Any) -> Any:
    """Mask as `masked` does, but keep different secrets different. The replacements are slow to invert by guessing."""
    return _replaced(value, _fingerprint)


def referenced(config: Any) -> Any:
    """Move the secrets of a config into environment variables of this process, which its children inherit.

    Files that pass to other processes, such as the jobs of a cluster, then hold only the names of the variables.
    """
    if masked(config) == config:
        return config

    def refer(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: refer(one) if masked({key: one}) != {key: one} else one for key, one in value.items()}
        if isinstance(value, list):
            return [refer(one) if masked(one) != one else one for one in value]
        name = f"OFFSHELF_VALUE_{hashlib.sha256(os.urandom(8)).hexdigest()[:12]}"
        os.environ[name] = str(value)
        return f"${{oc.env:{name}}}"

    return refer(config)


def is_masked(value: Any) -> bool:
    """Return whether a value contains a mask."""
    if isinstance(value, Mapping):
        return any(map(is_masked, value.values()))
    if isinstance(value, list | tuple):
        return any(map(is_masked, value))
    return isinstance(value, str) and MASK in value


def _replaced(value: Any, replace: Replace) -> Any:
    secrets = {secret for name, secret in os.environ.items() if _is_known(name, secret)}
    written = {form for secret in secrets for form in (secret, quote(secret, safe=""), quote_plus(secret))}  # in URLs
    return _walk(value, replace, sorted(written, key=len, reverse=True))


def _is_known(name: str, value: str) -> bool:
    is_secret = name.startswith("OFFSHELF_VALUE_") or is_secret_name(name)
    return is_secret and len(value) >= _SHORTEST and not _NOT_SECRET.fullmatch(value) and not Path(value).exists()


def _walk(value: Any, replace: Replace, known: list[str], name: str = "") -> Any:
    if isinstance(value, Mapping):
        return {_walk(key, replace, known): _walk(one, replace, known, str(key)) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_walk(one, replace, known, name) for one in value)
    if name and is_secret_name(name) and _is_worth_it(name, value):
        return replace(str(value))
    return _text(value, replace, known) if isinstance(value, str) else value


def _is_worth_it(name: str, value: Any) -> bool:
    if isinstance(value, str):
        is_number = value.isdecimal() and value != ""
        return bool(_NUMERIC_NAME.fullmatch(name)) if is_number else not _NOT_SECRET.fullmatch(value)
    return isinstance(value, int | float) and not isinstance(value, bool) and bool(_NUMERIC_NAME.fullmatch(name))


def _text(text: str, replace: Replace, known: list[str]) -> str:
    for secret in known:
        if secret in text:
            text = text.replace(secret, replace(secret))
    if "=" not in text and ":" not in text:
        return text
    for pattern, is_named in _TEXT:
        text = pattern.sub(lambda found, is_named=is_named: _masked_part(found, replace, is_named), text)  # type: ignore[misc]
    return text


def _masked_part(found: "re.Match[str]", replace: Replace, is_named: bool) -> str:
    before, secret = found["before"], found["secret"]
    quote = secret[0] if secret[0] in "\"'" else ""
    if is_named:
        if not _is_worth_it(re.split(r"[\"']? ?(?:= ?|: ?)", before)[0], secret.strip("\"'")):
            return found[0]
    elif _NOT_SECRET.fullmatch(secret) and not secret.isdecimal():
        return found[0]
    return f"{before}{quote}{replace(secret.strip(quote) if quote else secret)}{quote}"


def _fingerprint(secret: str) -> str:
    return hashlib.scrypt(secret.encode(), salt=b"offshelf", n=2**14, r=8, p=1).hex()
