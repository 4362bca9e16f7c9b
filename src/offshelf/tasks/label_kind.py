"""The kind of labels that a classifier is for: classes, or numbers."""

from inspect import signature

from offshelf.classifier import Classifier, Predictive
from offshelf.dataset import ImageSet
from offshelf.errors import ConfigError


def require_kind(classifier: Classifier, images: ImageSet) -> None:
    """Raise ConfigError for a classifier of classes where the labels are numbers, and the other way round.

    Also for a classifier that cannot keep groups of images in one fold.
    """
    if images.groups is not None and "groups" not in signature(classifier.fit).parameters:
        raise ConfigError(
            f"The images of {images.name} are in groups (dataset.group), and {type(classifier).__name__}.fit has no "
            "argument groups, to keep them in one fold: add it, even if it is not used."
        )
    predicts_numbers = isinstance(classifier, Predictive) and classifier.predicts_numbers
    if predicts_numbers == (images.kind == "number"):
        return
    if predicts_numbers:
        raise ConfigError(
            f"The classifier predicts numbers, and the labels of {images.name} are classes: choose one for them, such "
            "as classifier=linear_svm; if a table's labels are numbers, say so: dataset.target=number"
        )
    raise ConfigError(
        f"The classifier predicts classes, and the labels of {images.name} are numbers: classifier=ridge; or take each "
        "number as a class: dataset.target=class"
    )
