"""MIT-67: 67 classes of indoor scenes."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from typing_extensions import override

from offshelf.dataset.image import ImageFile
from offshelf.dataset.imageset import ImageSet, Sample
from offshelf.dataset.published.download import Remote
from offshelf.dataset.published.lists import in_order, lines, require_known
from offshelf.dataset.published.official import About, Official
from offshelf.errors import DatasetError

log = logging.getLogger(__name__)

SERVER = "groups.csail.mit.edu/vision/LabelMe/NewImages"
SPLIT_SERVER = "web.mit.edu/torralba/www"
SIZES = (5360, 1340)


def _both(server: str, name: str, *holds: str) -> Remote:
    return Remote(name, (f"https://{server}/{name}", f"http://{server}/{name}"), None, holds)


@dataclass(frozen=True, kw_only=True)
class Mit67(Official):
    """Indoor scenes in the official lists; most of the 15,620 images are in neither.

    Classes have 77 to 83 images to train on and 17 to 23 to test on, so that accuracy is not the mean class accuracy.

    Some files named .jpg are GIFs or PNGs; images are opened by their content.
    """

    @property
    @override
    def about(self) -> About:
        return About(
            name="mit67",
            title="MIT-67, indoor scene recognition",
            licence="research only",
            home="http://web.mit.edu/torralba/www/indoor.html",
            citation="Quattoni, Torralba: Recognizing Indoor Scenes. CVPR 2009",
        )

    @override
    def remotes(self) -> Sequence[Remote]:
        return (
            _both(SERVER, "indoorCVPR_09.tar", "Images/airport_inside", "images/airport_inside"),
            _both(SPLIT_SERVER, "TrainImages.txt"),
            _both(SPLIT_SERVER, "TestImages.txt"),
        )

    @override
    def read(self, folder: Path) -> ImageSet:
        """Read the images; classes are the sorted folder names, misspellings included."""
        images = next(path for path in (self.at("Images"), self.at("images")) if path.is_dir())
        train, test = (_names(folder / f"{part}Images.txt") for part in ("Train", "Test"))
        classes = tuple(sorted({name.split("/")[0] for name in train}))
        number = {name: index for index, name in enumerate(classes)}
        require_known([name.split("/")[0] for name in test], classes, folder)
        # Not an error: public copies of the lists differ in a few images.
        if self.verify and (len(train), len(test)) != SIZES:
            log.warning("mit67 has %d + %d images where 5360 + 1340 are official.", len(train), len(test))
        samples = [Sample(name, ImageFile(images / name), number[name.split("/")[0]]) for name in (*train, *test)]
        return ImageSet("mit67", classes, samples, in_order(len(train), len(test)), "mean_class_accuracy")


def _names(path: Path) -> list[str]:
    """Return names as `class/file`; both may contain spaces and apostrophes."""
    names = lines(path)
    for name in names:
        if name.count("/") != 1:
            raise DatasetError(f"{path} must list class/file; got '{name[:80]}'.")
    return names
