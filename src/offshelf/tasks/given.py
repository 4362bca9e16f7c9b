"""Features that a data set holds, in place of a network and a store."""

from collections.abc import Sequence

from offshelf.augmentation import Augmentation
from offshelf.backbone import Backbone
from offshelf.backbone.no_network import NoNetwork
from offshelf.dataset import Dataset, GivenFeatures, RetrievalDataset
from offshelf.errors import ConfigError
from offshelf.store import GivenStore


def given_sets(backbone: Backbone, *datasets: Dataset | RetrievalDataset | None) -> list[GivenFeatures]:
    """Return the data sets of features; none for a network.

    Raises:
        ConfigError: A network is to see features, or images have none.
    """
    used = [one for one in datasets if one is not None]
    given = [one for one in used if isinstance(one, GivenFeatures)]
    if given and not isinstance(backbone, NoNetwork):
        raise ConfigError(
            f"dataset=features holds features, which {backbone.name} cannot see; they are classified, compared and "
            "searched as they are: backbone=none"
        )
    if isinstance(backbone, NoNetwork) and len(given) < len(used):
        raise ConfigError("backbone=none extracts nothing from images; it goes with dataset=features.")
    return given


def given_store(given: Sequence[GivenFeatures]) -> GivenStore:
    """Return a store of the features of all sets."""
    return GivenStore(rows=lambda: {digest: row for one in given for digest, row in one.vectors().items()})


def require_one_view(*augmentations: Augmentation | None) -> None:
    """Raise ConfigError for several views: given features are of one."""
    if any(len(one.views) > 1 or len(one.query_views) > 1 for one in augmentations if one is not None):
        raise ConfigError("Given features have one view of each image: augmentation=center")
