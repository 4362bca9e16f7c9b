#!/usr/bin/env bash
# Hydra takes the quotes off texts in choice(…): a sweep over '1.10' and '1_0' runs 1.1 and 10.
#
# Expected: choice('1.10',b) is another way to write '1.10',b, and quotes make a text of what looks like a number.
# Happens: the simple sweep hands its jobs "'1.10'", choice(…) hands them "1.10", which each job reads as a number.
# Matters: names, versions and layers ('1_0') of jobs are silently others than those that were typed. offshelf rewrites
# choice(…) to the simple form before Hydra sees it.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet hydra-core==1.3.8 omegaconf==2.3.1
"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

from hydra.core.override_parser.overrides_parser import OverridesParser

print("hydra-core", version("hydra-core"), "omegaconf", version("omegaconf"))
parser = OverridesParser.create()


def jobs(override):
    values = parser.parse_override(override).sweep_string_iterator()
    found = [parser.parse_override(f"name={value}").value() for value in values]
    print(override, "->", found, [type(value).__name__ for value in found])
    return [value if isinstance(value, (int, float)) else str(getattr(value, "text", value)) for value in found]


assert jobs("name='1.10','1_0'") == ["1.10", "1_0"], "it changed"
assert jobs("name=choice('1.10','1_0')") == [1.1, 10], "it changed"
PYTHON
