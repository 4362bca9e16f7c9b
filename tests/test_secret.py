"""What counts as a secret, and what does not."""

import pickle

import pytest
from omegaconf import OmegaConf

from offshelf.config import load
from offshelf.launcher import Job
from offshelf.secret import fingerprinted, is_masked, is_secret_name, masked, referenced
from offshelf.sweep.features import extract_first

S = "s3cretX"


@pytest.mark.parametrize(
    "text",
    [
        f"http://bob:{S}@127.0.0.1:5602",
        f"http://:{S}@host",
        f"https://{S}@github.com/a",
        f"https://{S}:@host/a",
        f"http://bob:a/{S}@host/x",
        f"http://bob:a@{S}@host/x",
        f"http://bob:{S}?x#y@host/x",
        f"tracking.uri=http://a:b{S}@h:1,http://c:{S}@h",
        f"postgresql://u:{S}@h/db?sslpassword={S}&x=1",
        f"postgresql://h/db?user=u&password={S}",
        f"mssql+pyodbc:///?odbc_connect=DRIVER%3Dx%3BPWD%3D{S}&a=1",
        f"https://host/file?token={S}#x",
        f"s3://b/k?X-Amz-Signature={S}",
        f"https://blob/x?sv=1&sig={S}",
        f"host=h user=u password={S} dbname=d",
        f"+x.api_key={S}",
        f"db_pass='{S} and more'",
        f'{{"access_token": "{S}", "a": 1}}',
        f"password: {S}",
        f"(failed for http://bob:{S}@host: no answer)",
        f"host=h password = {S} user=u",
        f"pass={S}",
        f"pw={S}",
        f"db.password2={S}",
        f"passcode={S}",
        f"github_pat={S}",
        f"https://h/x?subscription-key={S}",
        f"Authorization: Bearer {S}",
        f'{{"Authorization": "Basic {S}", "a": 1}}',
    ],
)
def test_texts(text):
    """The rest of the text stays; masked again, it is the same."""
    found = masked(text)
    assert S not in found
    assert is_masked(found)
    assert masked(found) == found
    assert found.startswith(text[:1])


@pytest.mark.parametrize(
    "text",
    [
        "layer=blocks.4",
        "pooling=token",
        "tokens=4",
        "token=4",
        "class_token=true",
        "postgresql://user@host/runs",
        "http://host:5000/path@v2",
        "http://h:5000/a,http://x:5/b@c",
        "sqlite:////home/a@b/mlflow.db",
        "compass=north",
        "bypass: 1",
        "one pass: 12 images",
        "password=${oc.env:DB_PASSWORD}",
        "password=null",
        "keys=a,b",
        "a key: value",
    ],
)
def test_what_is_none(text):
    """Records would be useless without it."""
    assert masked(text) == text


def test_containers(monkeypatch):
    """By the names of keys, and by what variables of the environment hold."""
    monkeypatch.setenv("SOME_TOKEN", S)
    monkeypatch.setenv("PWD", "/a/working/folder")
    config = {"password": 1234, "token": 5, "text": f"x{S}y", "list": [f"http://a:{S}@c", 1.5], "secret": None}
    assert masked(config) == {
        **{"password": "***", "token": 5, "text": "x***y", "list": ["http://a:***@c", 1.5], "secret": None}
    }
    assert masked("/a/working/folder") == "/a/working/folder"
    assert is_secret_name("MLFLOW_TRACKING_PASSWORD")
    assert not is_secret_name("PWD")


def test_what_the_environment_holds_as_urls_have_it(monkeypatch):
    """Signs that URLs have no room for are written by their numbers there."""
    monkeypatch.setenv("MY_PASSWORD", "pä ss/wörd+")
    for form in ("pä ss/wörd+", "p%C3%A4%20ss%2Fw%C3%B6rd%2B", "p%C3%A4+ss%2Fw%C3%B6rd%2B"):
        assert masked(f"at {form}.") == "at ***."


def test_fingerprints():
    """Different secrets stay different, the same the same."""
    one, same, other = (fingerprinted({"password": word}) for word in (S, S, "another"))
    assert one == same != other
    assert S not in str(one)


def test_references():
    """A config that travels in a file names variables, and has its values where these are."""
    config = {"tracking": {"uri": f"http://bob:{S}@host", "home": "/x"}, "n": [1, f"https://{S}@host"]}
    travelling = OmegaConf.create(referenced(config))
    assert S.encode() not in pickle.dumps(travelling)
    assert OmegaConf.to_container(travelling, resolve=True) == config
    assert referenced({"a": {"b": [1, 2]}}) == {"a": {"b": [1, 2]}}


def test_jobs_and_features_first_travel_without_secrets():
    """Both are put down in files where a cluster runs them."""
    config = load("classify", ["backbone=tiny", "tracking=offline", f"tracking.uri=http://bob:{S}@host"])
    hydra = OmegaConf.create({"job_logging": {}, "verbose": False, "runtime": {"output_dir": "out"}})
    hydra.job = {"env_set": {}, "chdir": False, "num": 0}
    hydra.overrides = {"task": [f"tracking.uri=http://bob:{S}@host"]}
    job = Job.of(config, hydra)
    sent = []

    class Cluster:
        """Keeps what it is given."""

        slots = 1

        def run(self, pieces, work, folder):
            sent.extend(pieces)
            yield from ()

    extract_first([job], Cluster(), None)
    (piece,) = sent
    assert S.encode() not in pickle.dumps(job)
    assert S.encode() not in pickle.dumps(piece)
    assert "***" in str(job)
    assert (
        job.values["tracking"]["uri"]
        == pickle.loads(pickle.dumps(job)).values["tracking"]["uri"]
        == f"http://bob:{S}@host"
    )
