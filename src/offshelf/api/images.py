"""Images as a Python program has them, as images that offshelf can encode."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from offshelf.dataset import Image, ImageArray, ImageBytes, ImageFile, check_images, image_files
from offshelf.dataset.decode import Colour, DecodeError, check, rgb
from offshelf.dataset.image import require_pixels
from offshelf.dataset.intensity_range import Range
from offshelf.dataset.kind import is_named_image
from offshelf.dataset.location import Location
from offshelf.dataset.raster import MAX_PIXELS
from offshelf.dataset.remote.file import place
from offshelf.errors import BadImagesError, DatasetError, ImageError
from offshelf.identity import array_digest
from offshelf.lazy import Lazy
from offshelf.remote import Url, is_url

WHITE = (255, 255, 255)
"""Seen through transparent pixels."""

EXPECTED = "a path, bytes, a PIL image, or uint8 pixels [H, W, 3] was expected"

DEEP_MODES = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")
"""PIL modes of more than 8 bits."""


@dataclass(frozen=True, eq=False)
class ImageList:
    """Images in their order, and what each is called."""

    ids: Sequence[Any]
    """Paths of files (of a folder, relative to it), the index of a pandas Series, otherwise row numbers from 0."""
    images: Sequence[Image]
    is_single: bool = False
    """Whether one image was given, not a list."""

    def named(self, faults: BadImagesError) -> BadImagesError:
        """The same faults, each with its row number where the sentence names no file."""
        is_file = [isinstance(image, ImageFile) for image in self.images]
        told = {row: why if is_file[row] else f"row {row}: {why}" for row, why in faults.faults.items()}
        return BadImagesError(told, way_out="repair or remove them")


@dataclass(frozen=True)
class Reader:
    """How files, bytes and PIL images are read; see `offshelf.dataset.ImageFile` for the fields."""

    background: Colour = WHITE
    value_range: Range = "auto"
    max_pixels: int = MAX_PIXELS

    def file(self, path: Location) -> ImageFile:
        """Return an image file, which is not opened yet."""
        return ImageFile(path, self.background, None, self.value_range, self.max_pixels)

    def bytes(self, data: bytes) -> ImageBytes:
        """Return the image of a file's bytes; with more than 8 bits a value it needs a range that is known.

        Raises:
            ImageError: it cannot be read.
        """
        known = self.value_range if isinstance(self.value_range, tuple) else None
        image = ImageBytes(data, self.background, known, self.max_pixels)
        try:
            check(data, self.max_pixels)
        except DecodeError as error:
            raise ImageError(f"{image} cannot be read as an image: {error}.") from error
        return image

    def pillow(self, image: Any) -> ImageArray:
        """Return the pixels of a PIL image as of a file with the same content: upright, on the background, RGB.

        Raises:
            ImageError: it has more than 8 bits a value, or cannot be read.
        """
        from PIL import ImageOps

        if image.mode in DEEP_MODES:
            raise ImageError(
                f"a PIL image of mode {image.mode} has more than 8 bits a value, and which of them is white is not "
                "known: convert it to 8 bits, or give the path of its file."
            )
        try:
            return ImageArray(np.array(rgb(ImageOps.exif_transpose(image), self.background)))
        except (OSError, ValueError, SyntaxError) as error:
            raise ImageError(f"the PIL image cannot be read: {error}.") from error


DEFAULT = Reader()
"""Reads as `conf/dataset/folder.yaml` does."""


def image_list(images: Any, reader: Reader = DEFAULT) -> ImageList:
    """Return images of any supported kind as a list, each checked.

    Args:
        images: One image or several. An image is a path, the bytes of an image file, a PIL image, or uint8 pixels
            [H, W, 3] (NumPy or PyTorch, RGB). Several images are a folder, uint8 pixels [N, H, W, 3], a list, tuple,
            array or pandas Series of images, or a data set: a sequence whose items are (image, label) pairs.
        reader: How they are read.

    Raises:
        BadImagesError: names each image that cannot be used, and why.
        DatasetError: there are no images.
    """
    listed = _listed(images, reader)
    if not len(listed.images):
        raise DatasetError("There are no images to encode: the list or folder is empty.")
    try:
        check_images(listed.images)
    except BadImagesError as bad:
        raise listed.named(bad) from None
    return listed


def _listed(images: Any, reader: Reader) -> ImageList:
    if is_url(images) and not (Url.of(images).is_site or is_named_image(Url.of(images).name)):
        objects = image_files(Url.of(images))
        return ImageList(list(map(str, objects)), list(map(reader.file, objects)))
    if isinstance(images, str | os.PathLike) and not is_url(images) and Path(images).expanduser().is_dir():
        folder = Path(images).expanduser()
        files = image_files(folder)
        return ImageList(
            [Path(str(file)).relative_to(folder).as_posix() for file in files], list(map(reader.file, files))
        )
    if _is_image(images):
        return _converted([images], range(1), reader, is_single=True)
    if not isinstance(images, Iterable) and not hasattr(images, "__getitem__"):
        raise DatasetError(f"Images to encode are one image or a sequence of images; got a {type(images).__name__}.")
    if not hasattr(images, "__len__"):
        images = list(images)
    try:
        len(images)
    except TypeError as error:  # of an array without axes, or a sparse matrix
        raise DatasetError(f"A {type(images).__name__} without a length is not a sequence of images.") from error
    if isinstance(images, Sequence | np.ndarray) or hasattr(images, "tolist") or hasattr(images, "numpy"):
        index = getattr(images, "index", None)
        ids = range(len(images)) if index is None or callable(index) else list(index)
        return _converted(list(images), ids, reader)
    return ImageList(range(len(images)), DatasetImages(images, reader))


def _is_image(images: Any) -> bool:
    """Whether this is one image, not a list of images."""
    if isinstance(images, str | os.PathLike | bytes | bytearray | memoryview) or _is_pil(images):
        return True
    return _is_known(images) or (_is_pixels(images) and images.ndim == 3)


def _converted(images: Sequence[Any], ids: Sequence[Any], reader: Reader, is_single: bool = False) -> ImageList:
    """Convert images at once, files excepted: these are read later."""
    made = [_converted_one(image, reader) for image in images]
    if ids == range(len(images)):
        ids = [str(one) if isinstance(one, ImageFile) else row for row, one in enumerate(made)]
    return ImageList(ids, made, is_single)


def _converted_one(image: Any, reader: Reader) -> Image:
    try:
        return as_image(image, reader)
    except ImageError as error:
        return Unusable(str(error))


@dataclass(frozen=True)
class Unusable:
    """What was given as an image and is not one; it says so when it is read, as a broken file does."""

    why: str

    @property
    def digest(self) -> str:
        """Raise ImageError."""
        raise ImageError(self.why)

    def load(self) -> np.ndarray:
        """Raise ImageError."""
        raise ImageError(self.why)


def as_image(item: Any, reader: Reader = DEFAULT) -> Image:
    """Return one image, or the first of an (image, label) pair, as an image to encode.

    Raises:
        ImageError: it is not an image.
    """
    if isinstance(item, tuple | list) and len(item) == 2:
        item = item[0]
    if _is_known(item):
        known: Image = item
        return known
    if isinstance(item, str | os.PathLike):
        return reader.file(place(str(item)) if is_url(item) else Path(item).expanduser())
    if isinstance(item, bytes | bytearray | memoryview):
        return reader.bytes(bytes(item))
    if _is_pil(item):
        return reader.pillow(item)
    if _is_pixels(item):
        return ImageArray(_pixels(item))
    raise ImageError(f"{EXPECTED}; got a {type(item).__name__}.")


class DatasetImages(Lazy[Image]):
    """The images of a sequence of (image, label) pairs, each made when its pixels are needed."""

    def __init__(self, dataset: Any, reader: Reader = DEFAULT) -> None:
        """Keep a map-style data set: it has `len()` and items by row number."""
        self.dataset, self.reader, self._lock = dataset, reader, Lock()  # data sets are not written for several threads
        self._made: dict[int, DatasetImage] = {}

    def __len__(self) -> int:
        return len(self.dataset)

    def make(self, row: int) -> "DatasetImage":
        """Return the image of a row; its digest is computed once."""
        return self._made.setdefault(row, DatasetImage(self, row))

    def load(self, row: int) -> np.ndarray:
        """Return the pixels of a row, uint8 [H, W, 3]."""
        with self._lock:
            return as_image(self.dataset[row], self.reader).load()


class DatasetImage:
    """An image of a data set in memory."""

    def __init__(self, images: DatasetImages, row: int) -> None:
        self._images, self._row, self._digest = images, row, ""

    def __str__(self) -> str:
        return f"row {self._row}"

    @property
    def digest(self) -> str:
        """SHA-256 of the pixels, in hex."""
        if not self._digest:
            self._digest = array_digest(self._images.load(self._row))
        return self._digest

    def load(self) -> np.ndarray:
        """Return the pixels, uint8 [H, W, 3].

        Raises:
            ImageError: they differ from those that were seen first.
        """
        pixels = self._images.load(self._row)
        if array_digest(pixels) != self.digest:
            raise ImageError("the data set returns other pixels each time; leave out its random transforms")
        return pixels


def _is_known(item: Any) -> bool:
    """Whether this is an image of `offshelf.dataset`."""
    return hasattr(item, "digest") and hasattr(item, "load")


def _is_pil(item: Any) -> bool:
    from PIL import Image as Pillow

    return isinstance(item, Pillow.Image)


def _is_pixels(item: Any) -> bool:
    """Whether this is an array or a tensor of numbers; one of texts or objects is a list."""
    if isinstance(item, np.ndarray):
        return item.dtype.kind not in "OUS"
    return hasattr(item, "detach") and hasattr(item, "numpy")


def _pixels(item: Any) -> np.ndarray:
    """Return uint8 pixels [H, W, 3] of an array or tensor.

    Raises:
        ImageError: type or shape do not fit.
    """
    array: np.ndarray = item if isinstance(item, np.ndarray) else item.detach().cpu().numpy()
    if array.ndim == 3 and array.shape[0] == 3 and array.shape[2] != 3:
        raise ImageError(
            f"pixels are [H, W, 3], the colours last; got {list(array.shape)}: permute(1, 2, 0) of a tensor, "
            "transpose(1, 2, 0) of an array"
        )
    require_pixels(array, "an image")
    return array
