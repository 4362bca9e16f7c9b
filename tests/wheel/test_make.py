"""`make demo` installs what makes it fast, and does without what a platform has no wheels of."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

PYTHON = """#!/bin/sh
# Stands for Python, and in the environment that it makes for pip, which has no wheel of some packages.
case "$*" in
    "-m venv "*)
        mkdir -p "$3/bin" && cp "$0" "$3/bin/python"
        printf '#!/bin/sh\\necho offshelf "$@"\\n' > "$3/bin/offshelf" && chmod +x "$3/bin/offshelf" ;;
    {refused})
        echo "ERROR: No matching distribution found" >&2
        exit 1 ;;
esac
echo "$@" >> {log}
"""


def demo(folder, refused):
    """The lines that `make demo` prints, without those of make itself, and the calls of Python."""
    python = folder / "python"
    python.write_text(PYTHON.format(refused=refused, log=folder / "log"))
    python.chmod(0o755)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    command = ["make", "--silent", "demo", f"PYTHON={python}", f"VENV={folder / 'venv'}"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert not done.stderr
    return done.stdout.splitlines(), (folder / "log").read_text().splitlines()


def test_what_makes_it_fast_is_installed(tmp_path):
    """Each package by itself, from a wheel, behind offshelf, which is built once."""
    lines, calls = demo(tmp_path, "nothing")

    assert lines == ["offshelf classify layer=all"]
    assert [call.split()[-1] for call in calls] == [
        f"{tmp_path / 'venv'}",
        ".",
        "offshelf[openvino]",
        "offshelf[simplejpeg]",
    ]
    assert ["--only-binary openvino" in call for call in calls] == [False, False, True, False]


@pytest.mark.parametrize("missing", ["openvino", "simplejpeg"])
def test_without_a_wheel(missing, tmp_path):
    """In one sentence, which says where pip's own words are; the other one is there, and the demo runs."""
    lines, calls = demo(tmp_path, rf"*offshelf\[{missing}\]*")
    file = tmp_path / "venv" / f"{missing}.log"

    assert lines == [
        f"{missing} cannot be installed here: offshelf works without it, but slower. Why: {file}",
        "offshelf classify layer=all",
    ]
    assert file.read_text() == "ERROR: No matching distribution found\n"
    (other,) = {"openvino", "simplejpeg"} - {missing}
    assert calls[-1].endswith(f"offshelf[{other}]")


def test_offshelf_itself_is_needed(tmp_path):
    """No demo without it."""
    with pytest.raises(subprocess.CalledProcessError):
        demo(tmp_path, "*--editable*")
