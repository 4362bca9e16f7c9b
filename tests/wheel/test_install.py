"""Wheel, sdist and editable installs all run, from another folder, with their configs."""

import shutil
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


def installed(kind, folder):
    """Build from a copy of this checkout, where nothing is built yet, and install. Returns Python and its packages."""
    left_out = shutil.ignore_patterns(".*", "build", "*.so", "*.egg-info", "__pycache__", "outputs", "multirun")
    shutil.copytree(ROOT, folder / "checkout", symlinks=True, ignore=left_out)
    command = [sys.executable, "-m", "build", "--no-isolation", f"--{kind}", "--outdir", str(folder), "checkout"]
    subprocess.run(command, check=True, capture_output=True, text=True, cwd=folder)
    (archive,) = folder.glob("offshelf-*")
    python, site = bare_environment(folder / "venv")
    pip("install", "--no-deps", "--no-build-isolation", "--target", str(site), str(archive))
    return python, site


@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_installed_package_runs(kind, tmp_path):
    """Configs travel with the package."""
    python, site = installed(kind, tmp_path)
    code = "import offshelf, sys; sys.argv = ['offshelf', 'classify', '--cfg', 'job']; import offshelf.cli as c; "
    code += "print(offshelf.__file__, flush=True); c.main()"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False)

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0].startswith(str(site))
    assert "_target_: offshelf.tasks.classify.classify" in done.stdout
    assert (site / "offshelf/conf/backbone/vit_b_16.yaml").is_file()
    assert (site / "offshelf/py.typed").is_file()


@pytest.mark.parametrize("has_compiler", [True, False])
def test_compiler(has_compiler, tmp_path, monkeypatch):
    """With a compiler the solver's compiled parts travel with the wheel; without one it is built and works as well."""
    if has_compiler and not shutil.which("cc"):
        pytest.skip("no C compiler")
    monkeypatch.setenv("CC", "cc" if has_compiler else "missing-compiler")
    python, _ = installed("wheel", tmp_path)
    code = "import numpy as np; from offshelf.svm import LinearSVM; from offshelf.svm.solver import native; "
    code += "fitted = LinearSVM().fit(np.array([[-1.0], [-2], [1], [3]]), [0, 0, 1, 1]); "
    code += "print(native.is_available(), *fitted.predict([[2.0]]))"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True)

    assert done.stdout.split() == [str(has_compiler), "1"]
    assert ("compiled solver is not used" in done.stderr) is not has_compiler
