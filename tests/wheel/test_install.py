"""Wheel, sdist and editable installs all run, from another folder, with their configs."""

import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow


def bare_environment(folder):
    """A virtual environment that sees this one's dependencies, and not this one's offshelf."""
    venv.create(folder, with_pip=False)
    (site,) = folder.glob("lib/python*/site-packages")
    packages = next(path for path in map(Path, sys.path) if path.name == "site-packages")
    (site / "dependencies.pth").write_text(f"import site; site.addsitedir({str(site)!r})\n{packages}\n")
    return folder / "bin/python", site


def pip(*arguments):
    """This environment's pip."""
    subprocess.run([sys.executable, "-m", "pip", "--quiet", *arguments], check=True, capture_output=True, text=True)


@pytest.mark.parametrize("way", ["wheel", "sdist"])
def test_installed_package_runs(way, tmp_path):
    """Configs travel with the package."""
    kind = ["--wheel"] if way == "wheel" else ["--sdist"]
    command = [sys.executable, "-m", "build", "--no-isolation", *kind, "--outdir", str(tmp_path), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True, text=True)
    (archive,) = tmp_path.glob("offshelf-*")
    python, site = bare_environment(tmp_path / "venv")
    pip("install", "--no-deps", "--no-build-isolation", "--target", str(site), str(archive))
    code = "import offshelf, sys; sys.argv = ['offshelf', 'classify', '--cfg', 'job']; import offshelf.cli as c; "
    code += "print(offshelf.__file__, flush=True); c.main()"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False)

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0].startswith(str(site))
    assert "_target_: offshelf.task.classify" in done.stdout
    assert (site / "offshelf/conf/backbone/vit_b_16.yaml").is_file()
    assert (site / "offshelf/py.typed").is_file()
