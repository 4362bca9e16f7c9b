"""A browser, and the functions to drive it with."""

import importlib.util
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def browse():
    """Functions to open pages with, of docs/screenshot.py."""
    path = Path(__file__).parents[2] / "docs/screenshot.py"
    spec = importlib.util.spec_from_file_location("screenshot", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def browser(browse):
    with browse.browser(1280, 1000) as page:
        yield page
