"""Tiny copies of published data sets, in their official archives and layouts, odd files included.

`write(name, folder)` writes the files that a server of the set would offer.
"""

import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

WRITERS = {}


def miniature(name):
    """Register a writer: a function of the folder to write to."""

    def register(writer):
        WRITERS[name] = writer
        return writer

    return register


def write(name, folder):
    """Write a set's official files to a folder that is made."""
    import miniature_modern
    import miniature_paper
    import miniature_retrieval

    assert {miniature_modern, miniature_paper, miniature_retrieval}  # they register their writers
    Path(folder).mkdir(parents=True, exist_ok=True)
    WRITERS[name](Path(folder))


def picture(seed, target=0, mode="RGB", kind="JPEG", size=(20, 16)):
    """A file's bytes: noise around a grey that tells the target, width x height pixels."""
    width, height = size
    noise = np.random.default_rng(seed).integers(0, 40, (height, width, 3))
    pixels = (noise + (target * 67) % 200).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(file, kind)
    return file.getvalue()


def archive(path, members):
    """A tar, compressed where its name says so, or a zip, of names and bytes or text."""
    contents = {name: data.encode() if isinstance(data, str) else data for name, data in members.items()}
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as file:
            for name, data in contents.items():
                file.writestr(name, data)
        return
    with tarfile.open(path, "w:" if path.suffix == ".tar" else "w:gz") as file:
        for name, data in contents.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))


def text(rows):
    """Lines, the last one ended."""
    return "".join(f"{row}\n" for row in rows)
