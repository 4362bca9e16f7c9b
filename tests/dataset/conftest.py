"""Miniatures on a server."""

import pytest
from miniature import write
from server import serve


@pytest.fixture
def place(tmp_path):
    """A function that serves a set, and returns what its spec needs to be had from there."""
    sites = []

    def offer(name):
        write(name, tmp_path / "site")
        sites.append(serve(tmp_path / "site"))
        return {"root": str(tmp_path / "data"), "mirrors": (sites[-1].__enter__().url,), "verify": False}

    yield offer
    for site in sites:
        site.__exit__(None, None, None)
