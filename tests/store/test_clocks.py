"""Machines whose clocks differ share a store in a bucket: the time of day of a process is shifted."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import warm

pytestmark = pytest.mark.slow
CLAIMANT = """
import sys, time
from offshelf.store import BucketStore, lease
lease.ASK, lease.BEAT, lease.EXPIRY = 0, 0.1, 1.0
store, seconds = BucketStore(sys.argv[1]), float(sys.argv[2])
end = time.monotonic() + seconds
while (claim := store.claim("ab" * 32, "work")) is None:
    if end and time.monotonic() > end:
        print("waits", flush=True)
        end = 0
print("has it", flush=True)
time.sleep(100)
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """What shifts the time of day of a process that loads it."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("no C compiler")
    file = tmp_path_factory.mktemp("clock") / "other_clock.so"
    source = Path(__file__).parents[1] / "support/other_clock.c"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", file, source], check=True)
    return file


@pytest.fixture
def at(library, tmp_path):
    """Start a process on a machine of its own, whose clock is so many minutes fast; all are ended."""
    started = []

    def start(minutes, *command):
        settings = {"LD_PRELOAD": str(library), "CLOCK_SECONDS": str(60 * minutes)}
        settings |= {"OFFSHELF_HOME": str(tmp_path / str(minutes))}
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        started.append(
            subprocess.Popen([sys.executable, *command], env={**os.environ, **settings}, cwd=tmp_path, **streams)
        )
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(("one", "other"), [(-10, 10), (10, -10)])
def test_a_claim_is_held_whatever_the_time(bucket, server, at, one, other):
    """As long as its holder lives. Then it is taken over."""
    url = f"s3://{bucket[0]}/features"
    holder = at(one, "-c", CLAIMANT, url, "0")
    assert holder.stdout.readline() == "has it\n", holder.stderr.read()
    claimant = at(other, "-c", CLAIMANT, url, "3")
    assert claimant.stdout.readline() == "waits\n"
    holder.kill()
    assert claimant.stdout.readline() == "has it\n"


@pytest.mark.soak
def test_an_extraction_is_shared_whatever_the_time(bucket, server, at, tmp_path):
    """By two machines twenty minutes apart: all features are there, and none was extracted twice."""
    url = f"s3://{bucket[0]}/features"
    command = ["-m", "offshelf", "extract", "backbone=tiny", "extractor.chunk=128", "layer=block1"]
    subprocess.run([warm.program(), *command[2:], f"home={tmp_path / 'disk'}"], cwd=tmp_path, check=True)
    both = [at(clock, *command, "store=bucket", f"store.url={url}") for clock in (-10, 10)]
    for process in both:
        assert process.wait(300) == 0, process.stderr.read()
    # The bucket's shards, each named by its bytes: on one machine they are the same, and no image is in two of them.
    kept = [one["path"] for page in bucket[1].list("features") for one in page if one["path"].endswith(".safetensors")]
    expected = [path.name for path in (tmp_path / "disk").rglob("*.safetensors")]
    assert sorted(Path(path).name for path in kept) == sorted(expected) and len(expected) > 5


def test_a_clock_that_the_server_refuses(bucket, server, at):
    """It is named, not the credentials."""
    process = at(60 * 24, "-m", "offshelf", "store", "ls", f"store.url=s3://{bucket[0]}/features")
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 1, output
    assert "The clock of this machine" in errors and "credentials" not in errors
