"""Run the compiled solver under the address and undefined-behaviour sanitizers: `make sanitize`.

The C code is built in a temporary folder, once for each version that this processor can run, or for those that are
named. Another process, with the runtime of the sanitizers preloaded, then calls every function, on problems whose sizes
are and are not multiples of a vector. It allocates with malloc alone, so that accesses beyond the end of an array are
found.
"""

import os
import runpy
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer", "-g", "-O0"]


def compiler() -> str | None:
    """Return the C compiler."""
    return shutil.which(os.environ.get("CC", "cc"))


def runtime(cc: str) -> str | None:
    """Return the path of the address sanitizer's runtime, None if the compiler has none."""
    done = subprocess.run([cc, "-print-file-name=libasan.so"], capture_output=True, text=True, check=False)
    found = Path(done.stdout.strip())
    return str(found.resolve()) if found.is_absolute() and found.is_file() else None


def build(cc: str, version: str, folder: Path) -> Path:
    """Build the library of a version with sanitizers."""
    settings = runpy.run_path(str(ROOT / "setup.py"), run_name="setup")
    flags = [flag for flag in settings["FLAGS"] if flag not in ("-O3", "-g0")] + settings["VERSIONS"][version]
    out = folder / f"library_{version}.so"
    sources = sorted(map(str, (ROOT / settings["NATIVE"]).glob("*.c")))
    command = [cc, *flags, *SANITIZERS, f"-DVERSION={version}", "-shared", "-fPIC", "-o", str(out), *sources, "-lm"]
    subprocess.run(command, check=True)
    return out


def versions() -> list[str]:
    """Return the versions that this processor runs, the best one last."""
    from offshelf.svm import native

    return list(native.versions() if native.is_available() else native.VERSIONS[:1])


def main(chosen: list[str]) -> int:
    """Build, and run `exercise` on each version in a process of its own."""
    cc = compiler()
    library = runtime(cc) if cc else None
    if not cc or not library:
        print("There is no C compiler with the runtime of the address sanitizer (libasan).", file=sys.stderr)
        return 1
    settings = {"LD_PRELOAD": library, "ASAN_OPTIONS": "detect_leaks=0", "PYTHONMALLOC": "malloc"}
    with tempfile.TemporaryDirectory() as folder:
        for version in chosen or versions():
            path = build(cc, version, Path(folder))
            environment = {**os.environ, **settings, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
            done = subprocess.run([sys.executable, __file__, "--library", str(path)], env=environment, check=False)
            if done.returncode:
                return done.returncode
            print(f"{version}: no errors")
    return 0


def exercise(path: str) -> None:
    """Call every function of a library."""
    import ctypes

    import numpy as np

    from offshelf.svm import native
    from offshelf.svm.solver import OneVsOneSigns, Problems, ovo, path_binary, path_dual
    from offshelf.svm.solver.gram import Gram

    library = native.declared(ctypes.CDLL(path))
    assert native.difference(library) is None
    library.best_version_name.restype = ctypes.c_char_p
    assert library.best_version_name().decode() in native.VERSIONS
    native._library = lambda: library
    random, Cs = np.random.default_rng(0), [0.01, 1.0]
    for rows, dims in ((5, 3), (37, 50), (450, 60), (530, 33)):
        targets = np.arange(rows) % 3
        values = random.normal(size=(rows, dims)) + random.normal(size=(3, dims))[targets]
        values[rows // 2] = values[0]  # linearly dependent
        members = np.ones((rows, 2), bool)
        members[::3, 0] = False
        signs = OneVsOneSigns(targets, *np.triu_indices(3, 1))
        for loss in ("hinge", "squared_hinge"):
            for bias in ("penalised", "free", "none"):
                problems = Problems(signs, members, np.ones((rows, 1)), loss, bias)
                pairs = Gram(values[signs.order_R], bias, dtype=np.float64)
                for _ in ovo.solve_path(pairs, problems, Cs, 1e-4):
                    pass
                arrays = problems.tasks(slice(None))
                for _ in path_dual.solve_path(Gram(values, bias), arrays, Cs, 1e-4):
                    pass
                for dtype in (np.float32, np.float64):
                    for given in (arrays, problems):
                        for _ in path_binary.solve_path(values.astype(dtype), given, [*Cs, 1e4], 1e-4):
                            pass
    for size in (1, 15, 16, 17, 70):
        half, free = random.normal(size=(80, 90)).astype(np.float32), np.sort(random.permutation(80)[:size])
        K, b = half @ half.T, np.ones(size, np.float32)
        native.gather_submatrix(K, free)
        native.multiply_sparse(K, np.where(np.isin(np.arange(80), free), 1, 0).astype(np.float32))
        assert native.newton_solve(K, 0.5, np.ones(80, np.float32), free, b)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / "src"))
    if sys.argv[1:2] == ["--library"]:
        exercise(sys.argv[2])
    else:
        sys.exit(main(sys.argv[1:]))
