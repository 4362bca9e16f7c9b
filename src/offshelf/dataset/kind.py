"""Recognition of files: an image by name or content, a file of the system, or neither."""

import re
from pathlib import PurePath

SUFFIXES = (
    *(".jpg", ".jpeg", ".jfif", ".jpe", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"),
    *(".ppm", ".pgm", ".pbm", ".pnm", ".pfm", ".avif", ".jp2", ".dib", ".heic", ".heif", ".hif"),
)
"""Suffixes of images. Such files are taken, and an unreadable one stops a run."""
OTHERS = (
    *(".txt", ".md", ".csv", ".tsv", ".json", ".jsonl", ".xml", ".yaml", ".yml", ".html", ".pdf", ".doc", ".docx"),
    *(".xls", ".xlsx", ".py", ".ipynb", ".log", ".mat", ".npy", ".npz", ".pkl", ".h5", ".hdf5", ".db", ".ini"),
    *(".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".mp4", ".mov", ".avi", ".mkv", ".mp3", ".wav"),
    *(".svg", ".eps", ".ps", ".ai", ".url", ".lnk"),
)
"""Suffixes of files other than raster images, which are not opened."""
UNFINISHED = (".part", ".crdownload", ".download", ".tmp", ".bak", ".orig", ".swp", ".old")
"""Suffixes of unfinished downloads and of programs' backups."""
RAW = (".cr2", ".cr3", ".nef", ".arw", ".dng", ".orf", ".rw2", ".raf", ".pef", ".srw")
"""Suffixes of cameras' raw files, whose TIFF-like beginning holds a thumbnail."""
SYSTEM = re.compile(
    r"\..*|__MACOSX.*|@eaDir|@tmp|@Recycle|@Recently-Snapshot|#recycle|#snapshot|\$RECYCLE\.BIN|lost\+found|"
    r"System Volume Information|__pycache__|Thumbs\.db.*|ehthumbs(_vista)?\.db|desktop\.ini|Icon\r|"
    r"SYNO(FILE|PHOTO|VIDEO)_.*|Network Trash Folder|Temporary Items",
    re.I | re.S,
)
"""Hidden files, and those that operating systems, network drives and notebooks leave: thumbnails are images too."""
HEAD = 64
"""Bytes by which a file is recognised."""

_MAGIC = re.compile(
    rb"\xff\xd8\xff|\x89PNG\r\n\x1a\n|GIF8[79]a|RIFF....WEBP|II[*+]\0|MM\0[*+]|P[1-6fF][ \t\r\n]|"
    rb"BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0|\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51|"
    rb"....ftyp(avi[fs]|hei[cxms]|hev[cx]|mif1|msf1)",
    re.S,
)
_UNREADABLE = re.compile(rb"8BPS|\xff\x0a|\0\0\0\x0cJXL |%PDF|%!PS", re.S)


def is_system(name: str) -> bool:
    """Return whether a file or folder belongs to a system rather than the user."""
    return SYSTEM.fullmatch(name) is not None


def is_named_image(name: str) -> bool:
    """Return whether a file is an image by its name."""
    return PurePath(name).suffix.lower() in SUFFIXES


def why_no_image(path: str) -> str:
    """Return why a file with an unusual name is not taken; empty if its content is an image."""
    suffix = PurePath(path).suffix.lower()
    if suffix in UNFINISHED or path.endswith("~"):
        return "an unfinished download, or a program's backup, by its name"
    if suffix in RAW:
        return "a camera's raw file; convert it to an image first"
    if suffix in OTHERS:
        return "not an image by its name"
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - fast for many files, and works for names that are not UTF-8
            head = file.read(HEAD)
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    if _MAGIC.match(head):
        return ""
    return (
        "an image format that is not supported; convert it first"
        if _UNREADABLE.match(head)
        else "not an image by its content"
    )
