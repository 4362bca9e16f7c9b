"""The task `dataset`: what a data set is, and whether the copy at hand is whole."""

from offshelf.dataset import Dataset, Described, RetrievalDataset, check_images
from offshelf.report import about_table, found_line
from offshelf.tasks.results import DatasetDescription
from offshelf.tasks.results.dataset import checksum_line, content_table
from offshelf.terminal import Notify, discard


def describe(*, dataset: Dataset | RetrievalDataset, read_images: bool, notify: Notify = discard) -> DatasetDescription:
    """Summarise a data set and verify the copy, which is downloaded if it is missing and can be.

    Args:
        dataset: Any data set; published ones also know their licence, origin and checksums.
        read_images: Whether each image is read once.
        notify: Receives each part of the description as soon as it is known.

    Raises:
        DatasetError: the data set is missing (the sentence says what to place where), or damaged.
        BadImagesError: images cannot be read; it names all of them.
    """
    published = dataset if isinstance(dataset, Described) else None
    if published:
        notify(about_table(published.about, published.folder))
    images = dataset.load()
    notify(found_line(images), content_table(images))
    verified = tuple(published.check_files()) if published else ()
    if published:
        notify(checksum_line(verified))
    if read_images:
        check_images(images.pictures)
    return DatasetDescription(
        images=images,
        about=published.about if published else None,
        folder=published.folder if published else None,
        verified=verified,
        read_images=read_images,
    )
