"""The compiled parts of the solver, which `pyproject.toml` has no settled way to declare."""

import platform
from pathlib import Path

from setuptools import Extension, setup

NATIVE = Path("src/offshelf/svm/native")
FLAGS = ["-std=gnu11", "-O3", "-g0", "-fopenmp-simd", "-fno-math-errno", "-fno-trapping-math"]
VERSIONS: dict[str, list[str]] = {"any": []}
"""A library for each kind of processor, and what its compiler may take for granted: as in `native/version.c`."""
if platform.machine() in ("x86_64", "AMD64"):
    # GCC moves floats through MMX registers, and leaves them so that every later `long double` of the process is NaN.
    VERSIONS["any"] = ["-mno-mmx"]
    VERSIONS["avx2"] = ["-mavx2", "-mfma"]
    VERSIONS["avx512"] = ["-mavx2", "-mfma", "-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl"]


def library(version: str) -> Extension:
    """All of the C code, for one kind of processor."""
    return Extension(
        f"offshelf.svm.native.library_{version}",
        sources=sorted(map(str, NATIVE.glob("*.c"))),
        depends=sorted(map(str, NATIVE.glob("*.h"))),
        define_macros=[("VERSION", version)],
        extra_compile_args=FLAGS + VERSIONS[version],
        libraries=["m"],
        py_limited_api=True,  # it knows no Python at all
        optional=True,  # without a compiler, offshelf is installed without it
    )


setup(ext_modules=list(map(library, VERSIONS)), options={"bdist_wheel": {"py_limited_api": "cp311"}})
