"""`inspect`: what is wrong with the images and labels of a set, as tables and a page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from offshelf.api.report import Report
from offshelf.api.run import Done, output_folder, run, writing
from offshelf.api.settings import Settings, dataset_setting
from offshelf.commands.inspect import inspect_parts
from offshelf.report.inspection_tables import (
    copy_columns,
    label_columns,
    metadata_columns,
    odd_columns,
    pair_columns,
    part_columns,
)
from offshelf.tasks.results import InspectionResult
from offshelf.terminal import discard
from offshelf.tracking import NoTracking

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True, kw_only=True, eq=False)
class Inspected(InspectionResult):
    """Result of `inspect`: lists of what to look at. `table` has a row per list."""

    config: Mapping[str, Any] = field(repr=False)
    """The resolved config."""

    @property
    def labels(self) -> "DataFrame":
        """Labels from the one that is most probably wrong on; `flagged` is 1 where it probably is."""
        return _frame(label_columns(self.inspection))

    @property
    def leaks(self) -> "DataFrame":
        """Test images that are known from training, with the training image."""
        return _frame(self.inspection.leaked)

    @property
    def copies(self) -> "DataFrame":
        """Images that are the same or nearly the same, by groups."""
        return _frame(copy_columns(self.inspection))

    @property
    def odd(self) -> "DataFrame":
        """Odd images, and how they are odd."""
        return _frame(odd_columns(self.inspection))

    @property
    def confused_classes(self) -> "DataFrame":
        """Pairs of classes that are taken for each other."""
        return _frame(pair_columns(self.inspection))

    @property
    def class_parts(self) -> "DataFrame":
        """Images of classes that fall into two parts."""
        return _frame(part_columns(self.inspection))

    @property
    def metadata(self) -> "DataFrame":
        """All images with labels and suggestions, as `dataset=csv` reads them; empty where images are no files."""
        return _frame(metadata_columns(self.inspection))

    def report(self) -> Report:
        """Return the page, which a notebook shows."""
        return Report(self.page.read_text(encoding="utf-8"))


def inspect(
    dataset: Any = "digits",
    *,
    backbone: Any = "efficientnet_lite0",
    layer: str | Sequence[str] = "last",
    classifier: Any = "linear_svm_ovr",
    group: Any = None,
    test: Any = None,
    store: Any = "home",
    output_dir: str | Path | None = None,
    progress: bool = False,
    **overrides: Any,
) -> Inspected:
    """Find labels that are probably wrong, copies, odd images, and classes that are one, as `offshelf inspect` does.

    Args:
        dataset: See `classify`.
        backbone: See `classify`.
        layer: One layer, or several with `layer_fusion="concat"`.
        classifier: See `classify`; it says by which scores labels are checked.
        group: See `classify`.
        test: See `classify`.
        store: See `classify`.
        output_dir: A folder for the page and the tables; without, a temporary one that goes with the result.
        progress: Whether to show progress bars.
        **overrides: Other keys of `conf/inspect.yaml`; see `classify`.

    Raises:
        OffshelfError: in one sentence, as on the command line.

    Examples:
        >>> import offshelf
        >>> found = offshelf.inspect("digits", backbone="tiny")
        >>> list(found.labels.columns[:4])
        ['id', 'part', 'label', 'suggested_label']
    """
    given = {"backbone": backbone, "layer": layer, "classifier": classifier, "store": store}
    given |= {} if group is None else {"dataset__group": group}
    settings = Settings.of("inspect", {**dataset_setting(dataset, test), **given, **overrides})
    return run(settings, output_dir, progress).as_a(Inspected)


def inspect_result(
    parts: Mapping[str, Any],
    config: Mapping[str, Any],
    layer: str | Sequence[str],
    output_dir: str | Path | None,
    progress: bool,
) -> Inspected:
    """Inspect with the components of a run; see `offshelf.commands.inspect.inspect_parts`."""
    folder, scratch = output_folder(output_dir, "inspect", NoTracking(), Path())
    with writing(folder, scratch, progress):
        result = inspect_parts(parts, config, layer, folder, discard)
    return Done(result, dict(config), dict(parts), scratch).as_a(Inspected)


def _frame(columns: Mapping[str, Sequence[Any]]) -> "DataFrame":
    import pandas

    return pandas.DataFrame(columns)
