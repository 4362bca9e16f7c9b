"""A network that sees no squares is extracted as its own geometry says."""

import numpy as np
import torch

from offshelf.augmentation import View, center
from offshelf.backbone import Tiny
from offshelf.backbone.preprocessing import Squashed
from offshelf.dataset import ImageArray
from offshelf.extractor import Extractor, Request, get_or_extract
from offshelf.store import MemoryStore

SEES = Squashed(resize=24, crop=24, height=40, resize_height=40)


class Tall(Tiny):
    """40 rows, 24 columns."""

    def preprocessing(self):
        return SEES


def test_extracted_features_are_those_of_the_whole_image_warped():
    """Against the network itself."""
    random = np.random.default_rng(0)
    images = [ImageArray(random.integers(0, 256, (30, 50, 3), dtype=np.uint8)) for _ in range(3)]
    request = Request(Tall(), ("block3",), "avg", center().views)
    found = get_or_extract(MemoryStore(), Extractor(engine="eager", batch_size=2), images, request)
    seen = torch.from_numpy(np.stack([View().apply(image.pixels, SEES) for image in images])).permute(0, 3, 1, 2)
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (SEES.mean, SEES.std))
    expected = Tall().load().features((seen.float() / 255 - mean) / std, ["block3"], "avg")["block3"]

    assert seen.shape == (3, 3, 40, 24)
    assert np.allclose(found.values["block3"].reshape(3, 32), expected, rtol=1e-5)
