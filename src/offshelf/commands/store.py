"""`offshelf store`: what is in the feature store, whether it is sound, making room, and taking features out."""

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.filesize import decimal
from rich.table import Table

from offshelf.commands.arguments import Parser, divide
from offshelf.config import build_group, load
from offshelf.config.recorded import rebuild, recheck
from offshelf.config.trust import Trust
from offshelf.errors import ConfigError, OffshelfError
from offshelf.store.care import Damage, prunable, remove, remove_leftovers, verify
from offshelf.store.disk import DiskStore
from offshelf.store.inventory import Holding, age, holdings
from offshelf.suggest import did_you_mean
from offshelf.terminal import terminal

GATHERED = ("dataset", "augmentation", "backbone", "extractor", "store")
VERBS = ("ls", "du", "verify", "prune", "export")


def main(arguments: Sequence[str]) -> int:
    """Run one verb. Returns the exit code: 1 where damage was found and not mended.

    Raises:
        ConfigError: an argument is misspelt.
        StoreError: there is no store, or it cannot be read or written.
    """
    options = _parser().parse_args(arguments)
    code: int = options.run(options)
    return code


def _ls(options: argparse.Namespace) -> int:
    console = terminal()
    for holding in _held(options):
        title = f"{holding.backbone}  {holding.folder.name[:8]}"
        table = Table(title=title, box=box.SIMPLE, title_justify="left")
        for column in ("module", "pooling", "view"):
            table.add_column(column)
        table.add_column("images", justify="right")
        for (module, pooling, view), images in sorted(holding.features.items()):
            table.add_row(module, pooling, view, f"{images:,}")
        console.print(table)
        used = ", ".join(f"{use.name} {use.run[:8]}".strip() for use in holding.uses[:5]) or "no run that left word"
        more = f" and {len(holding.uses) - 5} more" if len(holding.uses) > 5 else ""
        console.print(f"{decimal(holding.size)}, last touched {age(holding.touched)}, used by {used}{more}\n")
        for path in holding.damaged:
            console.print(f"Damaged: {path}; offshelf store verify --repair", soft_wrap=True)
        for path in holding.foreign:
            console.print(f"Not a shard, left alone: {path}", soft_wrap=True)
    return 0


def _du(options: argparse.Namespace) -> int:
    table = Table(box=box.SIMPLE)
    for column in ("backbone", "network"):
        table.add_column(column)
    for column in ("images", "shards", "size", "touched"):
        table.add_column(column, justify="right")
    held = _held(options)
    for each in held:
        cells = (f"{each.images:,}", f"{len(each.shards):,}", decimal(each.size), age(each.touched))
        table.add_row(each.backbone, each.folder.name[:8], *cells)
    terminal().print(table)
    print(f"{decimal(sum(each.size for each in held))} in {_root(options)}")
    return 0


def _verify(options: argparse.Namespace) -> int:
    options.settings, given = divide(options.settings, {"trust": ""})
    root, trust = _root(options), Trust.of(given["trust"])
    damage = verify(root)
    for each in damage:
        print(f"Damaged: {each.path} ({each.holding.backbone})")
    if not damage:
        print(f"Sound: every byte of {sum(len(each.shards) for each in holdings(root)):,} shard(s) is as written.")
        return 0 if not options.again or _again(root, options.again, trust) else 1
    if not options.repair:
        print(f"{len(damage)} damaged shard(s). Mend them with: offshelf store verify --repair", file=sys.stderr)
        return 1
    return 0 if _repair(root, damage, trust) else 1


def _again(root: Path, count: int, trust: Trust) -> bool:
    """Extract some images of each run's features anew, and compare; says what came out otherwise."""
    done = True
    for holding in holdings(root):
        seen = set[str]()
        for use in holding.uses:
            try:
                found = recheck(use.config, DiskStore(root), seen, count, trust)
            except OffshelfError as error:
                done = False
                print(f"For the run {use.name} nothing was extracted again: {error}", file=sys.stderr)
                continue
            for each in found:
                done = done and not each.differing
                result = f"{each.differing} differ" if each.differing else "all came out equal"
                told = f"by up to {each.distance:.1e} ({each.where})" if each.distance else "to the last digit"
                print(f"{holding.backbone}, {use.name}: of {each.images} image(s) extracted again {result}, {told}")
        if not holding.uses:
            print(f"{holding.backbone}: no run left word of using these features; nothing to extract them from.")
    return done


def _repair(root: Path, damage: Sequence[Damage], trust: Trust) -> bool:
    """Delete what is damaged, then extract it again for the runs that used it; says what could not be."""
    for each in damage:
        each.path.unlink(missing_ok=True)
    done = True
    for holding in {each.holding.folder: each.holding for each in damage}.values():
        extracted, seen = 0, set[str]()
        for use in holding.uses:
            try:
                extracted += rebuild(use.config, DiskStore(root), seen, trust)
            except OffshelfError as error:
                done = False
                print(f"For the run {use.name} its features were not extracted again: {error}", file=sys.stderr)
        print(f"{holding.backbone}: damaged shards removed, {extracted:,} image(s) extracted again.")
        if not holding.uses:
            print("No run left word of using them; they are extracted again when one needs them.")
    return done


def _prune(options: argparse.Namespace) -> int:
    root = _root(options)
    chosen, busy = prunable(root, options.backbone, options.unused_days)
    for each in busy:
        print(f"Kept, a process is writing it: {each.backbone} {each.folder.name[:8]}")
    for each in chosen:
        print(f"{decimal(each.size):>10}  {each.backbone}  {each.folder.name[:8]}, touched {age(each.touched)}")
    if chosen and not options.yes and not _agreed(f"Delete these {len(chosen)}?"):
        print("Nothing was deleted.")
        return 0
    print(f"{decimal(remove(chosen) + remove_leftovers(root))} freed.")
    return 0


def _export(options: argparse.Namespace) -> int:
    from offshelf.report.feature_files import export, require_folder
    from offshelf.tasks.extract import load_features

    require_folder(Path(options.folder))
    config = load("extract", options.overrides)
    groups = {name: build_group(config, name) for name in GATHERED}
    images, features = load_features(**groups, layer=config.layer, pooling=config.pooling, on_error=config.on_error)
    export(Path(options.folder), images, features, options.format == "parquet")
    print(f"{len(images.samples):,} images, {', '.join(features.values)}: written to {options.folder}")
    return 0


def _count(text: str) -> int:
    """A number of images."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"it is a whole number, 0 or more; got '{text}'")
    return int(text)


def _days(text: str) -> float:
    try:
        days = float(text)
    except ValueError:
        days = math.nan
    if not 0 <= days < math.inf:
        raise argparse.ArgumentTypeError(f"it is a number of days, 0 or more; got '{text}'")
    return days


def _agreed(question: str) -> bool:
    if not sys.stdin.isatty():
        raise ConfigError("Deleting asks first, and there is nobody to ask; add --yes.")
    return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")


def _held(options: argparse.Namespace) -> list[Holding]:
    return holdings(_root(options))


def _root(options: argparse.Namespace) -> Path:
    """The store of the settings `home=` and `store.root=`."""
    for setting in options.settings:
        key, equals, _ = setting.partition("=")
        if key not in ("home", "store.root") or not equals:
            hint = did_you_mean(key, ["home", "store.root"])
            raise ConfigError(f"offshelf store has no setting '{setting}'{hint} It takes home= and store.root=")
    root: Path = build_group(load("extract", options.settings), "store").root
    return root


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="offshelf store", description=__doc__)
    verbs = parser.add_subparsers(title="verbs", required=True, metavar=" | ".join(VERBS))

    def verb(name: str, run: object, text: str) -> argparse.ArgumentParser:
        made: argparse.ArgumentParser = verbs.add_parser(name, help=text, description=text)
        made.set_defaults(run=run)
        return made

    listing = verb("ls", _ls, "list networks with their layers, views, sizes and the runs that used them")
    sizes = verb("du", _du, "a line a network: images, shards, bytes")
    checking = verb("verify", _verify, "compare every byte with the shards' digests")
    checking.add_argument("--repair", action="store_true", help="remove what is damaged and extract it again")
    checking.add_argument(
        "--again", type=_count, default=0, metavar="N", help="also extract N images of each run anew, and compare"
    )
    pruning = verb("prune", _prune, "delete features, and what dead processes left; asks first")
    pruning.add_argument("--backbone", default="", help="part of the backbone's name, or the start of the digest")
    pruning.add_argument("--unused-days", type=_days, help="only what was not used for so many days")
    pruning.add_argument("--yes", action="store_true", help="do not ask")
    for each in (listing, sizes, checking, pruning):
        also = "; trust=PACKAGE, whose code runs on record may name" if each is checking else ""
        each.add_argument("settings", nargs="*", help=f"home=DIR or store.root=DIR{also}", metavar="SETTING")
    out = verb("export", _export, "write features and ids to a folder, extracting what is missing")
    out.add_argument("folder", help="where to")
    out.add_argument("overrides", nargs="*", help="as for offshelf extract: dataset=… backbone=… layer=…")
    out.add_argument("--format", choices=("npy", "parquet"), default="npy")
    return parser
