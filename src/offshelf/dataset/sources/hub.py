"""Data sets of the Hugging Face hub, by the library `datasets`, which keeps them as Arrow files."""

from collections.abc import Sequence
from pathlib import Path

from offshelf.dataset.sources.table_file import open_table
from offshelf.dataset.sources.tables import Part, declared_part
from offshelf.errors import DatasetError


def from_hub(name: str, config: str | None, download: bool) -> Sequence[Part]:
    """Return the tables of a data set of the hub, downloaded unless they are in the library's cache.

    Raises:
        DatasetError: The library is not installed, or cannot provide the set; code of a set is never run.
    """
    try:
        import datasets
    except ImportError as error:
        raise DatasetError(
            f"dataset.path={name} is not a folder; for a data set of the hub: pip install 'offshelf[huggingface]'"
        ) from error
    datasets.disable_progress_bars()
    offline = datasets.DownloadConfig(local_files_only=True) if not download else None
    try:
        found = datasets.load_dataset(name, config, download_config=offline)
    except Exception as error:  # of many kinds, from the library and from its network
        raise DatasetError(_sentence(name, error)) from error
    return [
        declared_part(open_table(Path(one["filename"])), f"{split}/{Path(one['filename']).name}", str(split))
        for split, part in found.items()
        for one in part.cache_files
    ]


def _sentence(name: str, error: Exception) -> str:
    said = (str(error) or type(error).__name__).strip().splitlines()[0].rstrip(".:")
    if "Config name is missing" in said:
        return f"The hub's data set {name} has several configurations: dataset.config=NAME ({said})."
    if "scripts are no longer supported" in said:
        return f"The hub's data set {name} is a program, which is not run; look for a copy of it in Parquet files."
    return (
        f"dataset.path={name} is not a folder, and the hub does not provide it ({type(error).__name__}: {said}). "
        "Without a connection, give the folder of a copy."
    )
