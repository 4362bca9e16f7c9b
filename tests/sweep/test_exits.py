"""A job that leaves Python is one failed job."""

import re

import numpy as np
import pytest
from PIL import Image
from processes import finish

NET = """
import os, signal, sys
from torch import nn

class Net(nn.Sequential):
    def __init__(self, how):
        if how == "exit":
            sys.exit(0)
        if how == "interrupt":
            raise KeyboardInterrupt
        if how == "memory":
            raise MemoryError
        if how == "deaf":
            try:
                os.kill(os.getpid(), signal.SIGTERM)
            except SystemExit as error:
                raise ValueError("a library that caught it") from error
        super().__init__(nn.Conv2d(3, 4, 8, 8), nn.Flatten())
"""


def write_images(folder):
    """Two classes of six images."""
    for label in ("dark", "light"):
        (folder / label).mkdir(parents=True)
        for number in range(6):
            pixels = np.full((16, 16), 10 * number + 150 * (label == "light"), np.uint8)
            Image.fromarray(pixels).save(folder / label / f"{number}.png")


def sweep(folder, how):
    """Exit code, output and errors of a sweep over how the network behaves."""
    (folder / "exit_net.py").write_text(NET)
    write_images(folder / "images")
    command = ["classify", "-m", "backbone=custom", "backbone.module=exit_net.Net", "layer='1'", "classifier.C=2"]
    command += ["dataset=folder", "dataset.root=images", "tracking=none", "bootstrap.replicates=0"]
    return finish(*command, f"+backbone.kwargs.how={how}", cwd=folder)


@pytest.mark.slow
def test_a_job_that_leaves_python_is_one_that_failed(tmp_path):
    """By `sys.exit(0)` in a network of one's own, say: it is named, the others are run, the exit code tells."""
    code, output, errors = sweep(tmp_path, "exit,interrupt,memory,none")

    assert code == 1
    assert re.search(r"how=exit\): exit_net.Net .* SystemExit: 0 \(exit_net.py, line \d+\)", errors)
    assert re.search(r"how=interrupt\): exit_net.Net .* KeyboardInterrupt \(exit_net.py, line \d+\)", errors)
    assert "3 of 4 jobs failed" in errors
    assert output.count("FAILED") == 3
    assert len(list(tmp_path.rglob("metrics.json"))) == 1


@pytest.mark.slow
@pytest.mark.parametrize(("how", "said"), [("exit", "SystemExit: 0"), ("interrupt", "KeyboardInterrupt")])
def test_a_run_that_leaves_python_did_not_come_to_its_end(tmp_path, how, said):
    """Exit code 1 and a sentence, whatever code it left with; nobody has pressed Ctrl-C."""
    (tmp_path / "exit_net.py").write_text(NET)
    command = ["classify", "backbone=custom", "backbone.module=exit_net.Net", "layer='1'", "tracking=none"]
    code, _, errors = finish(*command, f"+backbone.kwargs.how={how}", cwd=tmp_path)

    assert code == 1
    assert f"{said} (exit_net.py, line" in errors
    assert "Interrupted" not in errors


@pytest.mark.slow
def test_a_sweep_leaves_on_a_signal_that_a_library_has_caught(tmp_path):
    """The job is not one that failed, and no other is begun."""
    code, _, errors = sweep(tmp_path, "deaf,none")

    assert code == 143
    assert "Begins" not in errors
    assert not list(tmp_path.rglob("metrics.json"))
