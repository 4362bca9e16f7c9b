"""`classify`, `retrieve` and `recommend`: the tasks of the command line as functions."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from offshelf.api.prediction import Classes
from offshelf.api.results import Classification, Recommended, Retrieval
from offshelf.api.run import Done, run
from offshelf.api.settings import Settings, dataset_setting
from offshelf.dataset import parse_colour
from offshelf.dataset.raster import MAX_PIXELS
from offshelf.extractor import Request
from offshelf.serving.predictor import Predictor


def classify(
    dataset: Any = "digits",
    *,
    backbone: Any = "efficientnet_lite0",
    layer: str | Sequence[str] = "last",
    classifier: Any = "linear_svm",
    target: str | None = None,
    group: Any = None,
    test: Any = None,
    shots: int | Sequence[int] | None = None,
    draws: int | str | None = None,
    store: Any = "home",
    tracking: Any = False,
    output_dir: str | Path | None = None,
    progress: bool = False,
    **overrides: Any,
) -> Classification:
    """Score frozen features of one or several layers with a linear classifier, as `offshelf classify` does.

    The words, the defaults and the numbers are those of the command line; nothing is printed.

    Args:
        dataset: The name of an option of `conf/dataset`; a folder of class folders, or a table of paths and labels
            (.csv); a data set of `offshelf.dataset`; a pair (images, labels), the images as for `Backbone.encode`; or a
            sequence of (image, label) pairs, such as torchvision's data sets.
        backbone: A name, a handle, an `nn.Module`, or a spec of `offshelf.backbone`.
        layer: A layer's name, `"last"`, `"all"`, a pattern, or a list of these. Of several the reported one is chosen
            by cross-validation on the training images.
        classifier: The name of an option of `conf/classifier`, or a classifier of `offshelf.classifier`.
        target: What the labels of a table, or of images in memory, are: `"class"`, also where they look like numbers;
            or, with `classifier="ridge"`, `"number"`: an age, a count, a score. None: as the data set has it.
        group: Which images are on one side of splits, as of one patient: of images in memory the group of each;
            of a table the name of a column; of a folder a number or a regular expression. None: each is by itself.
        test: What is tested on: of images in memory (images, labels) or pairs; of a folder or a table the path of
            another one with the same classes; or a fraction. Without, the set's own test part or a stratified quarter.
        shots: Numbers of training images per class, such as [1, 2, 4, 8, 16], drawn by seed: `table` has a row for
            each, and `learning_curve` its extrapolation. None: all images. `fractions=[0.01, 0.1, 1]` draws fractions.
        draws: Number of draws, or a folder of published ones; None: the data set's number, usually 5.
        store: `"home"`, the store of the command line; a folder; or None, memory.
        tracking: Whether the run is tracked in MLflow; or the name of an option of `conf/tracking`.
        output_dir: A folder for predictions, tables and plots. Without, a tracked run has one below the home, and any
            other a temporary one that goes with the result.
        progress: Whether to show progress bars.
        **overrides: Other keys of `conf/classify.yaml`: `pooling="max"`, `augmentation="mirror"`, `seed=1`. Keys inside
            a group are written with two underscores, `dataset__test_fraction=0.3`, or alone if only one group has such
            a key: `C=[0.2, 2, 20]`, `device="cpu"`.

    Raises:
        OffshelfError: in one sentence, as on the command line.

    Examples:
        >>> import offshelf
        >>> result = offshelf.classify("digits", backbone="tiny", layer="all", C=[1, 10])
        >>> list(result.table["layer"])
        ['block1', 'block2', 'block3', 'pixels']
    """
    given = {"backbone": backbone, "layer": layer, "classifier": classifier, "store": store, "tracking": tracking}
    sizes = {key: value for key, value in (("shots", shots), ("draws", draws)) if value is not None}
    sizes |= {} if target is None else {"dataset__target": target}
    sizes |= {} if group is None else {"dataset__group": group}
    settings = Settings.of("classify", {**dataset_setting(dataset, test), **given, **sizes, **overrides})
    return classification(run(settings, output_dir, progress))


def retrieve(
    dataset: Any = "digits",
    *,
    backbone: Any = "efficientnet_lite0",
    layer: str | Sequence[str] = "last",
    retrieval: Any = "nearest",
    store: Any = "home",
    tracking: Any = False,
    output_dir: str | Path | None = None,
    progress: bool = False,
    **overrides: Any,
) -> Retrieval:
    """Rank all references for each query by frozen features, as `offshelf retrieve` does.

    Args:
        dataset: See `classify`; of a set with single labels a class is an object, and each image searches all others.
        backbone: See `classify`.
        layer: See `classify`; of several the last is the reported one.
        retrieval: The name of an option of `conf/retrieval`, or a retrieval of `offshelf.retrieval`.
        store: See `classify`.
        tracking: See `classify`.
        output_dir: See `classify`.
        progress: See `classify`.
        **overrides: Other keys of `conf/retrieve.yaml`; see `classify`.

    Raises:
        OffshelfError: in one sentence, as on the command line.
    """
    given = {"backbone": backbone, "layer": layer, "retrieval": retrieval, "store": store, "tracking": tracking}
    settings = Settings.of("retrieve", {**dataset_setting(dataset, None), **given, **overrides})
    return retrieval_result(run(settings, output_dir, progress))


def recommend(
    dataset: Any = "digits",
    *,
    budget: str = "10min",
    candidates: Sequence[str] | None = None,
    layer: str | Sequence[str] = "all",
    classifier: Any = "linear_svm",
    target: str | None = None,
    group: Any = None,
    store: Any = "home",
    tracking: Any = False,
    output_dir: str | Path | None = None,
    progress: bool = False,
    **overrides: Any,
) -> Recommended:
    """Find the backbone and layer whose features are best for a data set, as `offshelf recommend` does.

    Only training images are read, and no weights are downloaded.

    Args:
        dataset: See `classify`.
        budget: A time: `"90s"`, `"10min"`, `"1h"`.
        candidates: Names of `conf/backbone`, `"timm/ARCH"` or `"torchvision/ARCH"`; None: all whose weights are here.
        layer: Layers of each backbone that take part.
        classifier: See `classify`.
        target: See `classify`.
        group: See `classify`.
        store: See `classify`.
        tracking: See `classify`.
        output_dir: See `classify`.
        progress: See `classify`.
        **overrides: Other keys of `conf/recommend.yaml`; see `classify`.

    Raises:
        OffshelfError: in one sentence, as on the command line.
    """
    given = {"budget": budget, "candidates": candidates, "layer": layer, "store": store, "tracking": tracking}
    labels = {} if target is None else {"dataset__target": target}
    labels |= {} if group is None else {"dataset__group": group}
    settings = Settings.of(
        "recommend", {**dataset_setting(dataset, None), **given, "classifier": classifier, **labels, **overrides}
    )
    return run(settings, output_dir, progress).as_a(Recommended)


def classification(done: Done) -> Classification:
    """Return the result of a classification with its way from images to classes."""
    parts, model = done.parts, done.result.model
    if model is None:
        return done.as_a(Classification, classes=None, backbone=parts["backbone"].name, parts=parts)
    request = Request(parts["backbone"], model.layers, parts["pooling"], parts["augmentation"].views)
    dataset = done.config.get("dataset") or {}
    background = parse_colour(dataset.get("background", "white"))
    largest = dataset.get("max_pixels", MAX_PIXELS)
    predictor = Predictor(model, request, parts["extractor"], background, largest)
    classes = Classes(predictor, parts["store"])
    return done.as_a(Classification, classes=classes, backbone=parts["backbone"].name, parts=parts)


def retrieval_result(done: Done) -> Retrieval:
    """Return the result of a retrieval."""
    return done.as_a(Retrieval, backbone=done.parts["backbone"].name)
