#!/usr/bin/env bash
# Compressed big-endian TIFFs of int16, int32 and float32 come out of Pillow with their bytes swapped.
#
# Expected: the byte order of a file changes no value, as it does not for uint16, or for uncompressed files.
# Happens: libtiff has already swapped the bytes of what it has unpacked, and Pillow swaps them again. No warning.
# Matters: microscopes, microCT and GIS tools write such files; a value of 1 is read as 256 or 16777216, a float of 1.0 as
# 4.6e-41. offshelf swaps them back.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pillow==13.0.0 tifffile==2026.3.3 imagecodecs==2026.3.6 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import io

import numpy as np
import PIL
import tifffile
from PIL import Image

print("Pillow", PIL.__version__)
wrong = []
for name in ("uint16", "int16", "int32", "float32"):
    for order in "<>":
        for compression in (None, "lzw", "zlib"):
            values = np.arange(16).reshape(4, 4).astype(name)
            file = io.BytesIO()
            tifffile.imwrite(file, values, byteorder=order, compression=compression, photometric="minisblack")
            file.seek(0)
            read = np.asarray(Image.open(file))
            if not np.array_equal(read, values):
                print(name, order, compression, "1 is read as", read[0, 1])
                wrong.append((name, order, compression))
expected = [(name, ">", how) for name in ("int16", "int32", "float32") for how in ("lzw", "zlib")]
assert wrong == expected, "it changed"
PYTHON
