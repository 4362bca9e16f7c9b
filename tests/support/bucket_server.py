"""Fixtures of a real server of buckets, one in each worker that needs it."""

import buckets
import pytest


@pytest.fixture(scope="session")
def weed(tmp_path_factory):
    """The port of S3."""
    with buckets.weed(tmp_path_factory.mktemp("weed") / "data") as port:
        yield port


@pytest.fixture
def server(weed, monkeypatch):
    """The way to it, which the environment names."""
    with buckets.gate(weed) as gate:
        buckets.use(monkeypatch, gate.url)
        yield gate
    buckets.forget()


@pytest.fixture
def bucket(weed, request):
    """An empty bucket: its name, and obstore's client that writes into it."""
    name = (
        request.node.name.partition("[")[0].removeprefix("test_").replace("_", "-")[:40].strip("-")
        + f"-{next(NUMBERS)}"
    )
    return name, buckets.make_bucket(weed, name)


NUMBERS = iter(range(1000))
