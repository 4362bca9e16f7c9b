"""Releases of the libraries that determine the pixels and numbers of a feature."""

import json
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version

PACKAGES = ("offshelf", "torch", "torchvision", "timm", "numpy", "pillow", "simplejpeg", "openvino")
UNKNOWN = "{}"
"""Releases of features that were written before releases were recorded."""


@lru_cache
def releases() -> str:
    """Return today's releases as JSON in a fixed form."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return json.dumps(found, sort_keys=True)


def changes(then: str) -> str:
    """Describe the differences between the releases `then` and those of today."""
    before, now = json.loads(then), json.loads(releases())
    if not before:
        return "an offshelf that did not record releases"
    names = [name for name in PACKAGES if before.get(name) != now.get(name)]
    return ", ".join(f"{name} {before.get(name, 'none')} (today {now.get(name, 'none')})" for name in names)
