"""The names of the package: imported when they are used, and still the same after all modules were imported."""

import inspect
import subprocess
import sys

import pytest

import offshelf

HEAVY = ("torch", "sklearn", "mlflow", "hydra", "omegaconf", "numpy", "pandas", "pytorch_lightning", "timm")

IMPORT = f"""
import sys, offshelf
print([name for name in {HEAVY} if name in sys.modules])
print(sorted(set(offshelf.__all__) - set(dir(offshelf))))
"""

WALK = """
import importlib, pkgutil, sys, offshelf

modules, absent = {}, []
for found in pkgutil.walk_packages(offshelf.__path__, "offshelf."):
    if found.name.endswith("__main__"):
        continue
    try:
        modules[found.name] = importlib.import_module(found.name)
    except ImportError as error:
        absent.append((found.name, error.name))
print("absent:", [pair for pair in absent if (pair[1] or "").startswith("offshelf")])
packages = {name: module for name, module in modules.items() if hasattr(module, "__all__")} | {"offshelf": offshelf}
print(len(modules) > 300, len(packages) > 10)
for package, module in sorted(packages.items()):
    for name in module.__all__:
        value = getattr(module, name)
        if type(value).__name__ == "module":
            print("overwritten:", package, name)
        elif f"{package}.{name}" in modules:
            print("clash:", f"{package}.{name}")
"""


def printed(program):
    """What a fresh interpreter prints."""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_import_is_light():
    """Neither PyTorch nor another library is loaded, and completion sees all names all the same."""
    assert printed(IMPORT) == ["[]", "[]"]


@pytest.mark.slow
def test_no_name_is_a_module_too():
    """Importing every submodule overwrites no public name of any package."""
    absent, many, *clashes = printed(WALK)

    assert (absent, many) == ("absent: []", "True True")
    assert not clashes


def test_names():
    """All can be had, and each says what it is."""
    for name in offshelf.__all__:
        value = getattr(offshelf, name)
        assert inspect.getdoc(value), name
        assert value.__name__ == name


def test_absent_name():
    """As of any module."""
    with pytest.raises(AttributeError, match="'offshelf' has no attribute 'clasify'"):
        offshelf.clasify  # noqa: B018
    assert not hasattr(offshelf, "annotations")
