"""The compiled parts of the solver, which `pyproject.toml` has no settled way to declare."""

from pathlib import Path

from setuptools import Extension, setup

NATIVE = Path("src/offshelf/classifier/solver/native")

setup(
    ext_modules=[
        Extension(
            "offshelf.classifier.solver.native.library",
            sources=sorted(map(str, NATIVE.glob("*.c"))),
            depends=sorted(map(str, NATIVE.glob("*.h"))),
            extra_compile_args=["-std=gnu11", "-O3", "-g0", "-fopenmp-simd", "-fno-math-errno", "-fno-trapping-math"],
            libraries=["m"],
            py_limited_api=True,  # it knows no Python at all
            optional=True,  # without a compiler, offshelf is installed without it
        )
    ],
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
