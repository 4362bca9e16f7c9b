"""Releases of the libraries whose pixels and numbers end in a feature."""

import json
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version

PACKAGES = ("offshelf", "torch", "torchvision", "timm", "numpy", "pillow", "simplejpeg", "openvino")
UNKNOWN = "{}"
"""Of features of before releases were written down."""


@lru_cache
def releases() -> str:
    """Today's, as JSON in one fixed form."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return json.dumps(found, sort_keys=True)


def changes(then: str) -> str:
    """What was another release then, in words."""
    before, now = json.loads(then), json.loads(releases())
    if not before:
        return "an offshelf that did not write releases down"
    names = [name for name in PACKAGES if before.get(name) != now.get(name)]
    return ", ".join(f"{name} {before.get(name, 'none')} (today {now.get(name, 'none')})" for name in names)
