"""Build of the compiled solver, which `pyproject.toml` has no stable way to declare."""

import platform
from pathlib import Path

from setuptools import Extension, setup

NATIVE = Path("src/offshelf/svm/native")
FLAGS = ["-std=gnu11", "-O3", "-g0", "-fopenmp-simd", "-fno-math-errno", "-fno-trapping-math"]
VERSIONS: dict[str, list[str]] = {"any": []}
"""Compiler flags for each instruction set. `native.VERSIONS` has the same names, which a test compares."""
if platform.machine() in ("x86_64", "AMD64"):
    # GCC moves floats through MMX registers, and leaves them so that every later `long double` of the process is NaN.
    VERSIONS["any"] = ["-mno-mmx"]
    VERSIONS["avx2"] = ["-mavx2", "-mfma"]
    VERSIONS["avx512"] = ["-mavx2", "-mfma", "-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl"]


def library(version: str) -> Extension:
    """Return the extension of all C code, compiled for one instruction set."""
    return Extension(
        f"offshelf.svm.native.library_{version}",
        sources=sorted(map(str, NATIVE.glob("*.c"))),
        depends=sorted(map(str, NATIVE.glob("*.h"))),
        define_macros=[("VERSION", version)],
        extra_compile_args=FLAGS + VERSIONS[version],
        libraries=["m"],
        py_limited_api=True,  # the library does not call Python
        optional=True,  # without a compiler, offshelf is installed without the library
    )


if __name__ == "__main__":
    setup(ext_modules=list(map(library, VERSIONS)), options={"bdist_wheel": {"py_limited_api": "cp311"}})
