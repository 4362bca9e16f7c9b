#!/usr/bin/env bash
# A white JPEG 2000 of 16 bits a colour is black in Pillow.
#
# Expected: Pillow has no mode for 16-bit colour and takes the high byte, as it does of such PNGs: 65535 becomes 255.
# Happens: values are rounded to 8 bits, and what rounds to 256 wraps to 0. White is black, and opaque is transparent;
# everything up to 65407 is right, so that most pictures look right save for their brightest pixels.
# Matters: bright skies, paper and masks become black without a word. offshelf refuses such files.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pillow==13.0.0 imagecodecs==2026.3.6 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import io

import imagecodecs
import numpy as np
import PIL
from PIL import Image

print("Pillow", PIL.__version__)
seen = {}
for value in (32768, 65407, 65408, 65535):
    data = imagecodecs.jpeg2k_encode(np.full((4, 4, 3), value, np.uint16), level=0, codecformat="jp2")
    assert (imagecodecs.jpeg2k_decode(data) == value).all()
    seen[value] = int(np.asarray(Image.open(io.BytesIO(data)))[0, 0, 0])
print("16-bit value -> Pillow's:", seen)
assert seen == {32768: 128, 65407: 255, 65408: 0, 65535: 0}, "it changed"
PYTHON
