"""Provenance tags of a run: versions of packages, user, and git revision."""

import getpass
import platform
import subprocess
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version

PACKAGES = ("offshelf", "torch", "torchvision", "timm", "numpy", "scikit-learn", "pillow", "hydra-core", "mlflow")


@lru_cache
def provenance() -> dict[str, str]:
    """Return MLflow's system tags for user, source and git commit, and a tag `version.<package>` for each package."""
    tags = {"mlflow.user": _user(), "mlflow.source.name": "offshelf", "mlflow.source.type": "LOCAL"}
    tags["version.python"] = platform.python_version()
    for package in PACKAGES:
        try:
            tags[f"version.{package}"] = version(package)
        except PackageNotFoundError:
            continue
    revision = _git("rev-parse", "HEAD")
    if revision:
        tags["mlflow.source.git.commit"] = revision
        tags["git.dirty"] = str(bool(_git("status", "--porcelain", "--untracked-files=no"))).lower()
    return tags


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return "unknown"


def _git(*arguments: str) -> str:
    """Return git's output for the working directory; empty outside a repository, or without git."""
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
