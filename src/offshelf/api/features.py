"""`Features`: a scikit-learn transformer from images to frozen features."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags

from offshelf.api.backbone import Backbone, load_backbone
from offshelf.api.encoding import feature_names
from offshelf.backbone import Pooling

if TYPE_CHECKING:
    from offshelf.augmentation import Augmentation
    from offshelf.store import FeatureStore


class Features(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Frozen features of images, as a scikit-learn transformer.

    It learns nothing: `fit` only checks the parameters. `transform` takes images as `Backbone.encode` does and returns
    float32 [n, D]. Features are kept in a store: when one layer is asked for, all curated layers are extracted in the
    same pass, so that a search over layers costs one forward pass per image.

    Args:
        backbone: A name, with which it is pickled, or anything else that `load_backbone` takes.
        layer: A layer's name, `"last"`, or several layers (a list of names, `"all"`, a pattern), whose features are
            concatenated.
        pooling: See `Backbone.encode`.
        augmentation: See `Backbone.encode`; features of several views are averaged.
        device: See `Backbone.encode`.
        precision: See `Backbone.encode`.
        batch_size: See `Backbone.encode`.
        store: `"home"`, the store of the command line; a folder; or None: nothing is kept, and only the layers that are
            asked for are computed. Of an `nn.Module` that was given as an object, features are kept in memory.
        progress: Whether to show a progress bar.

    Notes:
        The input is images, not a table of numbers. All checks of scikit-learn's `check_estimator` pass if each row of
        its tables is taken for an image, except `check_estimator_sparse_tag` (images are not sparse). By the tag
        `no_validation` scikit-learn leaves out the checks of tables: NaN and infinity, complex and empty input, other
        types of arrays, `n_features_in_`.

    Examples:
        >>> from sklearn.pipeline import make_pipeline
        >>> import offshelf
        >>> pipe = make_pipeline(offshelf.Features("efficientnet_lite0", layer="blocks.5"), offshelf.LinearSVMCV())
    """

    def __init__(
        self,
        backbone: Any = "efficientnet_lite0",
        layer: str | Sequence[str] = "last",
        *,
        pooling: Pooling = "auto",
        augmentation: "str | Augmentation" = "center",
        device: str = "auto",
        precision: str = "float32",
        batch_size: int = 32,
        store: "str | Path | FeatureStore | None" = "home",
        progress: bool = False,
    ) -> None:
        self.backbone = backbone
        self.layer = layer
        self.pooling = pooling
        self.augmentation = augmentation
        self.device = device
        self.precision = precision
        self.batch_size = batch_size
        self.store = store
        self.progress = progress

    def fit(self, X: Any, y: Any = None) -> "Features":
        """Check the parameters; images are not looked at.

        Raises:
            OffshelfError: the backbone, a layer or another parameter does not exist or does not fit.
        """
        self._handle.layer_names(self.layer)
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Return features of images, float32 [n, D].

        Raises:
            BadImagesError: images that cannot be used, each with its row or path.
            OffshelfError: as `Backbone.encode`.
        """
        handle = self._handle
        names = handle.layer_names(self.layer)
        curated = [] if self.store is None else handle.spec.layer_names()
        settings = self.get_params(deep=False)
        del settings["backbone"], settings["layer"]
        found = handle.encoded(X, names, also=curated, **settings)
        return np.concatenate([_rows(found.values[name], found.images.is_single) for name in names], axis=1)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return names of the dimensions: `blocks.5_0`, `blocks.5_1` and so on."""
        handle = self._handle
        black = np.zeros((8, 8, 3), np.uint8)
        sizes = handle.encode(black, list(handle.layer_names(self.layer)), pooling=self.pooling, device=self.device)
        return np.array([name for layer, row in sizes.items() for name in feature_names(layer, len(row))], dtype=object)

    def __sklearn_is_fitted__(self) -> bool:
        """Return True: there is nothing to fit."""
        return True

    def __sklearn_tags__(self) -> Tags:
        """Say that images are taken, and that nothing is fitted."""
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.no_validation = True
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        tags.input_tags.string = True
        tags.transformer_tags.preserves_dtype = []
        return tags

    @property
    def _handle(self) -> Backbone:
        return load_backbone(self.backbone)


def _rows(values: np.ndarray, is_single: bool) -> np.ndarray:
    """Return one row per image: of several views their mean."""
    values = values[None] if is_single else values
    return values.mean(axis=1) if values.ndim == 3 else values
