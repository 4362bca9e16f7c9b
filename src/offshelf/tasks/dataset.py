"""`offshelf dataset`: what a data set is, and whether the copy at hand is whole."""

from offshelf.dataset import Dataset, Described, RetrievalDataset, RetrievalSet, check_images
from offshelf.report import about_table, found_line, repeats_line, retrieval_table, size_table
from offshelf.terminal import say, terminal


def describe(*, dataset: Dataset | RetrievalDataset, read_images: bool) -> None:
    """Print a summary and verify the copy, which is downloaded where it can be.

    Args:
        dataset: Any; published ones know their licence, origin and checksums too.
        read_images: Whether each image is read once.

    Raises:
        DatasetError: it is missing (the sentence says what to place where), or damaged.
        BadImagesError: names all images that cannot be read.
    """
    console = terminal()
    if isinstance(dataset, Described):
        console.print(about_table(dataset.about, dataset.folder))
    images = dataset.load()
    say(found_line(images))
    console.print(retrieval_table(images) if isinstance(images, RetrievalSet) else size_table(images))
    if isinstance(dataset, Described):
        verified = ", ".join(dataset.check_files())
        nothing = "No checksum was compared: no published file is here, or dataset.verify=false"
        say(f"Checksums verified: {verified}" if verified else nothing)
    if read_images:
        check_images(images.pictures)
        say(f"Every image can be read: {len(images.pictures):,}", repeats_line(images, where=""))
