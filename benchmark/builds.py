"""Two builds of offshelf, each from its checkout: the CPU time of their commands."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

PROGRAM = """
import sys
for package in sys.argv.pop(1).split():
    sys.modules[package] = None
from offshelf.cli import main
main()
"""
"""The command line, in which packages named by the first argument are not installed."""

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


@dataclass(frozen=True)
class Build:
    """A build of offshelf."""

    name: str
    checkout: Path
    hidden: str = ""
    """Packages that are not to be found, between spaces."""

    def run(self, folder: Path, *arguments: str, threads: str = "") -> tuple[float, float]:
        """Run a command in a folder, with a home below it. Returns CPU seconds and seconds on the clock."""
        folder.mkdir(parents=True, exist_ok=True)
        environment = os.environ | {"PYTHONPATH": str(self.checkout / "src"), "OFFSHELF_HOME": str(folder / "home")}
        environment |= dict.fromkeys(ONE_THREAD, threads) if threads else {}
        begin = perf_counter()
        with (folder / "output.txt").open("w") as output:
            command = [sys.executable, "-c", PROGRAM, self.hidden, *arguments]
            process = subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT)
            _, status, used = os.wait4(process.pid, 0)
        if status:
            sys.exit(f"{self.name} has failed; see {folder / 'output.txt'}")
        return used.ru_utime + used.ru_stime, perf_counter() - begin
