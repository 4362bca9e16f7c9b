"""Wheel, sdist and editable installs all run, from another folder, with their configs."""

import os
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


def hasty(folder):
    """A C compiler that does not optimise, which takes a tenth of the time; `make` itself builds as users do."""
    path = folder / "hasty"
    path.write_text('#!/bin/sh\nexec cc "$@" -O0\n')
    path.chmod(0o755)
    return path


def installed(kind, folder, compiler=None):
    """Build from a copy of this checkout, where nothing is built yet, and install. Returns Python and its packages."""
    environment = {**os.environ, "CC": str(compiler or hasty(folder))}
    left_out = shutil.ignore_patterns(".*", "build", "*.so", "*.egg-info", "__pycache__", "outputs", "multirun")
    shutil.copytree(ROOT, folder / "checkout", symlinks=True, ignore=left_out)
    command = [sys.executable, "-m", "build", "--no-isolation", f"--{kind}", "--outdir", str(folder), "checkout"]
    subprocess.run(command, check=True, capture_output=True, text=True, cwd=folder, env=environment)
    (archive,) = folder.glob("offshelf-*")
    python, site = bare_environment(folder / "venv")
    command = [sys.executable, "-m", "pip", "--quiet", "install", "--no-deps", "--no-build-isolation"]
    command += ["--target", str(site), str(archive)]
    subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return python, site


@pytest.fixture(scope="session")
def wheel(made_once):
    """Python and packages of an environment with offshelf from a wheel, built as installers build it."""
    folder = made_once("wheel", lambda folder: installed("wheel", folder))
    return folder / "venv/bin/python", next(folder.glob("venv/lib/python*/site-packages"))


@pytest.fixture
def sdist(tmp_path):
    """The same from the sources."""
    return installed("sdist", tmp_path)


@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_installed_package_runs(kind, tmp_path, request):
    """Configs travel with the package, and so do the solver's compiled parts or what they are made of."""
    python, site = request.getfixturevalue(kind)
    code = "import offshelf, sys; sys.argv = ['offshelf', 'classify', '--cfg', 'job']; import offshelf.cli as c; "
    code += "print(offshelf.__file__, flush=True); c.main()"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False)

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0].startswith(str(site))
    assert "_target_: offshelf.tasks.classify.classify" in done.stdout
    assert (site / "offshelf/conf/backbone/vit_b_16.yaml").is_file()
    assert (site / "offshelf/py.typed").is_file()
    assert bool(list(site.glob("offshelf/svm/native/library_*"))) == bool(shutil.which("cc"))


@pytest.mark.parametrize("has_compiler", [True, False])
def test_compiler(has_compiler, tmp_path, request):
    """With a compiler the solver's compiled parts travel with the wheel; without one it is built and works as well."""
    if has_compiler and not shutil.which("cc"):
        pytest.skip("no C compiler")
    missing = not has_compiler
    python, _ = installed("wheel", tmp_path, "missing-compiler") if missing else request.getfixturevalue("wheel")
    code = "import numpy as np; from offshelf.svm import LinearSVM; from offshelf.svm.solver import native; "
    code += "fitted = LinearSVM().fit(np.array([[-1.0], [-2], [1], [3]]), [0, 0, 1, 1]); "
    code += "print(native.is_available(), *fitted.predict([[2.0]]))"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True)

    assert done.stdout.split() == [str(has_compiler), "1"]
    assert ("compiled solver is not used" in done.stderr) is not has_compiler
