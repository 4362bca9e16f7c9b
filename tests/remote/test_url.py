"""Addresses: their parts, what is below them, and what they hide."""

import pytest

from offshelf.errors import ConfigError
from offshelf.remote import Url, is_url

ODD = "a[1] #%20 é?.jpg"


@pytest.mark.parametrize("text", ["s3://bucket/photos", "gs://b", "az://c/x y", "https://host:8443/a.jpg?x=1"])
def test_addresses(text):
    assert is_url(text) and str(Url.of(text)).rstrip("/") == text.replace("x%20y", "x y")


@pytest.mark.parametrize("text", ["/photos", "photos", "C://photos", "a:b", "", "{train: s3://b}"])
def test_paths(text):
    assert not is_url(text)


def test_keys_of_buckets_are_as_written():
    """A key is no web address: nothing in it is quoted or stands for something."""
    assert Url.of(f"s3://bucket/{ODD}").key == ODD
    assert (Url.of("s3://bucket/photos/") / ODD).key == f"photos/{ODD}"
    assert (Url.of("s3://bucket") / ODD).key == ODD


def test_names_below_a_site_are_quoted():
    """What is below an address is a file's name; an address is one already."""
    assert (Url.of("https://host/d") / ODD).request_target == "/d/a%5B1%5D%20%23%2520%20%C3%A9%3F.jpg"
    assert Url.of("https://host/a%20b.jpg#part").request_target == "/a%20b.jpg"
    assert Url.of("https://host/a%20b.jpg").name == "a b.jpg"
    assert (Url.of("https://host/d") / "s3://bucket/x").scheme == "s3"


@pytest.mark.parametrize(
    "text",
    [
        "https://me:hunter22@host/a.jpg",
        "https://host/a.jpg?X-Amz-Algorithm=A&X-Amz-Credential=hunter22&X-Amz-Signature=hunter22",
        "https://host/a.jpg?X-Goog-Credential=hunter22&X-Goog-Signature=hunter22",
        "https://host/a.jpg?sv=2024&se=2030&sig=hunter22",
        "https://host/a.jpg?token=hunter22",
    ],
)
def test_secrets_are_not_shown(text):
    """They are still sent."""
    url = Url.of(text)
    assert str(url) == "https://host/a.jpg" and "hunter22" not in repr(url)
    assert "hunter22" in url.request_target + url.user


def test_other_parameters_are_shown():
    assert str(Url.of("https://host/show?id=7&sig=secret")) == "https://host/show?id=7"


def test_a_renewed_signature_is_the_same_file():
    first, second = (Url.of(f"https://host/a.jpg?Expires={n}&Signature=s{n}&Key-Pair-Id=K") for n in (1, 2))
    assert str(first) == str(second)


@pytest.mark.parametrize("text", ["ftp://host/x", "s3:///x", "https:///x", "hdfs://a/b"])
def test_what_is_no_address_of_images(text):
    with pytest.raises(ConfigError, match=r"begin with s3://|names no (bucket|host)"):
        Url.of(text)


def test_below_and_above():
    url = Url.of("s3://bucket/a/b.jpg")
    assert str(url.parent) == "s3://bucket/a" and str(url.parent.parent) == "s3://bucket/" and url.name == "b.jpg"
    assert Url.of("s3://bucket").name == "bucket"
