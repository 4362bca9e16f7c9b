"""Time of `make demo` behind the installation, in a new home: this checkout and another one, in turn.

python benchmark/demo.py OTHER_CHECKOUT

The other one is also run as without OpenVINO and simplejpeg, for a build whose `make demo` does not install them.
"""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

from builds import Build
from machine import machine, table

HERE = Path(__file__).parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("other", type=Path, help="checkout of the build to compare with, its C code built in place")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    other = options.other.resolve()
    builds = [
        Build("this checkout", HERE),
        Build("other, without openvino and simplejpeg", other, "openvino simplejpeg"),
        Build("other, with both", other),
    ]
    times: dict[str, list[tuple[float, float]]] = {build.name: [] for build in builds}
    for _ in range(options.rounds):
        for build in builds:
            with TemporaryDirectory() as folder:
                times[build.name].append(build.run(Path(folder) / "demo", "classify", "layer=all"))
    least = {name: [min(column) for column in zip(*rows, strict=True)] for name, rows in times.items()}
    mine = least["this checkout"]
    print(f"{machine()}; the least of {options.rounds}\n")
    table(
        ("build", "CPU seconds", "seconds", "this checkout: CPU ratio", "ratio of seconds"),
        [
            (name, f"{cpu:.1f}", f"{clock:.1f}", f"{mine[0] / cpu:.2f}", f"{mine[1] / clock:.2f}")
            for name, (cpu, clock) in least.items()
        ],
    )


if __name__ == "__main__":
    main()
