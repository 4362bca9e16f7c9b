"""A job of a sweep: its values are resolved once, and travel without secrets."""

import os
import pickle
import subprocess
import sys

from offshelf.config.job import Job
from offshelf.config.values import portable

VALUES = {
    "tracking": {"uri": "http://me:dragon-word@host/x", "token": "dragon-word"},
    "text": r"${seed} \${seed} a${oc.env:HOME}",
    "items": [1, 2.5, None, True, "blocks.*"],
}


def test_values_travel_without_secrets(tmp_path):
    """Texts keep their meaning, whatever they look like; the secret is in the environment alone."""
    job = Job(3, ["C=1", "sweep.resume=false"], portable(VALUES), tmp_path)
    assert job.values == VALUES
    assert job.values is job.values
    data = pickle.dumps(job)

    assert b"dragon" not in data
    assert pickle.loads(data).values == VALUES
    assert pickle.loads(data) == job


def test_values_arrive_in_another_process(tmp_path):
    """Which inherits the environment."""
    data = pickle.dumps(Job(0, [], portable(VALUES), tmp_path))
    code = "import pickle, sys; print(pickle.load(sys.stdin.buffer).values['tracking']['token'])"
    done = subprocess.run([sys.executable, "-c", code], input=data, capture_output=True, check=True, env=os.environ)

    assert done.stdout.decode().strip() == "dragon-word"


def test_name_and_choices(tmp_path):
    """What a person sees of it leaves out how jobs are run."""
    assert str(Job(3, ["C=1", "launcher=joblib"], {}, tmp_path)) == "job 3 (C=1)"
