"""`offshelf store`: what is in the feature store, whether it is sound, making room, and taking features out."""

import argparse
import math
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.filesize import decimal

from offshelf.commands.arguments import Parser, divide, require_folder_name
from offshelf.commands.result import CommandResult, as_data
from offshelf.config import build_group, load
from offshelf.config.recorded_config import recheck, reextract
from offshelf.config.trust import Trust
from offshelf.errors import ConfigError, OffshelfError
from offshelf.store import BucketStore, DiskStore
from offshelf.store.any_store import AnyStore, damage_in, delete_damaged, delete_from, held_in, prunable_in
from offshelf.store.bucket_maintenance import pull, push
from offshelf.store.inventory import Holding, age
from offshelf.store.maintenance import Damage, selected
from offshelf.suggest import did_you_mean
from offshelf.terminal import say, terminal
from offshelf.terminal.grid import Grid, columns

SETTINGS = ("home", "store.root", "store.url", "store.cache_gb")
FEATURE_GROUPS = ("dataset", "augmentation", "backbone", "layer_fusion", "extractor", "store")
VERBS = ("ls", "du", "verify", "prune", "export", "push", "pull")


def main(arguments: Sequence[str]) -> CommandResult:
    """Run one verb. The exit code is 1 where damage was found and not repaired.

    Raises:
        ConfigError: an argument is misspelt.
        StoreError: there is no store, or it cannot be read or written.
    """
    options = _parser().parse_args(arguments)
    result: CommandResult = options.run(options)
    return result


def _ls(options: argparse.Namespace) -> CommandResult:
    console = terminal()
    held = held_in(_store(options))
    for holding in held:
        title = f"{holding.backbone}  {holding.folder.name[:8]}"
        grid = Grid(columns(["module", "pooling", "view"], ["images"]), title)
        for (module, pooling, view), images in sorted(holding.features.items()):
            grid.add(module, pooling, view, f"{images:,}")
        console.print(grid)
        used = ", ".join(f"{use.name} {use.run[:8]}".strip() for use in holding.uses[:5]) or "no run that left word"
        more = f" and {len(holding.uses) - 5} more" if len(holding.uses) > 5 else ""
        console.print(f"{decimal(holding.size)}, last touched {age(holding.touched)}, used by {used}{more}\n")
        for path in holding.damaged:
            console.print(f"Damaged: {path}; offshelf store verify --repair", soft_wrap=True)
        for path in holding.foreign:
            console.print(f"Not a shard, left alone: {path}", soft_wrap=True)
    return CommandResult([{**_network(holding), **_contents(holding)} for holding in held])


def _network(holding: Holding) -> dict[str, Any]:
    sizes = {"images": holding.images, "shards": len(holding.shards), "bytes": holding.size}
    return {"backbone": holding.backbone, "network": holding.folder.name, **sizes, "touched": holding.touched}


def _contents(holding: Holding) -> dict[str, Any]:
    features = [
        {"module": module, "pooling": pooling, "view": view, "images": images}
        for (module, pooling, view), images in sorted(holding.features.items())
    ]
    runs = [{"name": use.name, "run": use.run} for use in holding.uses]
    return {"features": features, "used_by": runs, "damaged": holding.damaged, "foreign": holding.foreign}


def _du(options: argparse.Namespace) -> CommandResult:
    grid = Grid(columns(["backbone"], ["size", "images", "touched", "shards", "network"]))
    store = _store(options)
    held = held_in(store)
    for each in held:
        cells = (decimal(each.size), f"{each.images:,}", age(each.touched), f"{len(each.shards):,}")
        grid.add(each.backbone, *cells, each.folder.name[:8])
    terminal().print(grid)
    total = sum(each.size for each in held)
    say(f"{decimal(total)} in {store}")
    return CommandResult({"root": str(store), "bytes": total, "networks": [_network(each) for each in held]})


def _verify(options: argparse.Namespace) -> CommandResult:
    options.settings, given = divide(options.settings, {"trust": ""})
    store, trust = _store(options), Trust.of(given["trust"])
    damage = damage_in(store)
    for each in damage:
        say(f"Damaged: {each.path} ({each.holding.backbone})")
    found = {"root": str(store), "damaged": [each.path for each in damage]}
    if not damage:
        shards = sum(len(each.shards) for each in held_in(store))
        say(f"Sound: every byte of {shards:,} shard(s) is as written.")
        done, compared = _again(store, options.again, trust) if options.again else (True, [])
        return CommandResult({**found, "shards": shards, "extracted_again": compared}, 0 if done else 1)
    if not options.repair:
        say(f"{len(damage)} damaged shard(s). Repair them with: offshelf store verify --repair", stderr=True)
        return CommandResult({**found, "is_repaired": False}, 1)
    is_repaired = _repair(store, damage, trust)
    return CommandResult({**found, "is_repaired": is_repaired}, 0 if is_repaired else 1)


def _again(store: AnyStore, count: int, trust: Trust) -> tuple[bool, list[dict[str, Any]]]:
    """Extract some images of each run's features again, and compare. Returns whether all is equal, and what differs."""
    done = True
    compared: list[dict[str, Any]] = []
    for holding in held_in(store):
        seen = set[str]()
        for use in holding.uses:
            try:
                found = recheck(use.config, store, seen, count, trust)
            except OffshelfError as error:
                done = False
                say(f"For the run {use.name} nothing was extracted again: {error}", stderr=True)
                continue
            for each in found:
                compared.append({"backbone": holding.backbone, "run": use.name, **as_data(each)})
                done = done and not each.differing
                result = f"{each.differing} differ" if each.differing else "all came out equal"
                told = f"by up to {each.distance:.1e} ({each.where})" if each.distance else "to the last digit"
                say(f"{holding.backbone}, {use.name}: of {each.images} image(s) extracted again {result}, {told}")
        if not holding.uses:
            say(f"{holding.backbone}: no run left word of using these features; nothing to extract them from.")
    return done, compared


def _repair(store: AnyStore, damage: Sequence[Damage], trust: Trust) -> bool:
    """Delete damaged shards and extract them again for the runs that used them. Returns whether all could be."""
    delete_damaged(store, damage)
    done = True
    for holding in {each.holding.folder: each.holding for each in damage}.values():
        extracted, seen = 0, set[str]()
        for use in holding.uses:
            try:
                extracted += reextract(use.config, store, seen, trust)
            except OffshelfError as error:
                done = False
                say(f"For the run {use.name} its features were not extracted again: {error}", stderr=True)
        say(f"{holding.backbone}: damaged shards removed, {extracted:,} image(s) extracted again.")
        if not holding.uses:
            say("No run left word of using them; they are extracted again when one needs them.")
    return done


def _prune(options: argparse.Namespace) -> CommandResult:
    store = _store(options)
    chosen, busy = prunable_in(store, options.backbone, options.unused_days)
    for each in busy:
        say(f"Kept, a process is writing it: {each.backbone} {each.folder.name[:8]}")
    for each in chosen:
        say(f"{decimal(each.size):>10}  {each.backbone}  {each.folder.name[:8]}, touched {age(each.touched)}")
    if chosen and not options.yes and not _agreed(f"Delete these {len(chosen)}?"):
        say("Nothing was deleted.")
        return CommandResult({"root": str(store), "deleted": [], "bytes": 0})
    deleted = [_network(each) for each in chosen]
    freed = delete_from(store, chosen)
    say(f"{decimal(freed)} freed.")
    return CommandResult({"root": str(store), "deleted": deleted, "bytes": freed})


def _export(options: argparse.Namespace) -> CommandResult:
    from offshelf.report.feature_files import export, require_folder
    from offshelf.tasks.features import FeatureSpec

    require_folder_name(options.folder, "Name a folder; --format says what is written into it.")
    require_folder(Path(options.folder))
    config = load("extract", options.overrides)
    groups = {name: build_group(config, name) for name in FEATURE_GROUPS}
    spec = FeatureSpec(**groups, layer=config.layer, pooling=config.pooling, on_error=config.on_error)
    if groups["layer_fusion"]:  # their transforms are fitted by a run: here each layer is a file
        spec = replace(spec, layer=spec.layers, layer_fusion=None)
    images, features = spec.load_features()
    export(Path(options.folder), images, features, options.format == "parquet")
    say(f"{len(images.samples):,} images, {', '.join(features.values)}: written to {options.folder}")
    return CommandResult({"folder": options.folder, "images": len(images.samples), "layers": list(features.values)})


def _count(text: str) -> int:
    """Parse a number of images."""
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


def _push(options: argparse.Namespace) -> CommandResult:
    bucket, disk = _both(options)
    count, size = push(bucket, selected(held_in(disk), options.backbone))
    say(f"{count:,} shard(s), {decimal(size)}, copied from {disk} to {bucket}.")
    return CommandResult({"from": str(disk), "to": str(bucket), "shards": count, "bytes": size})


def _pull(options: argparse.Namespace) -> CommandResult:
    bucket, disk = _both(options)
    count, size = pull(bucket, selected(held_in(bucket), options.backbone), disk.root)
    say(f"{count:,} shard(s), {decimal(size)}, copied from {bucket} to {disk}.")
    return CommandResult({"from": str(bucket), "to": str(disk), "shards": count, "bytes": size})


def _both(options: argparse.Namespace) -> tuple[BucketStore, DiskStore]:
    """Return the store in the bucket and the one on disk that the settings name."""
    urls = [setting for setting in options.settings if setting.startswith("store.url=")]
    if not urls:
        raise ConfigError("Name the bucket: store.url=s3://bucket/features")
    others = [setting for setting in options.settings if setting not in urls]
    homes = [setting for setting in others if setting.startswith("home=")]
    bucket = _store(argparse.Namespace(settings=[*urls, *homes]))
    disk = _store(argparse.Namespace(settings=others))
    assert isinstance(bucket, BucketStore) and isinstance(disk, DiskStore)  # by their settings
    return bucket, disk


def _store(options: argparse.Namespace) -> AnyStore:
    """Return the store that the settings `home=`, `store.root=` and `store.url=` name."""
    for setting in options.settings:
        key, equals, _ = setting.partition("=")
        if key not in SETTINGS or not equals:
            hint = did_you_mean(key, SETTINGS)
            raise ConfigError(
                f"offshelf store has no setting '{setting}'{hint} It takes home=, store.root= and store.url="
            )
    is_bucket = any(setting.startswith("store.url=") for setting in options.settings)
    group = ["store=bucket"] if is_bucket else []
    store: AnyStore = build_group(load("extract", [*group, *options.settings]), "store")
    return store


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="offshelf store", description=__doc__)
    verbs = parser.add_subparsers(title="verbs", required=True, metavar=" | ".join(VERBS))

    def verb(name: str, run: object, text: str) -> argparse.ArgumentParser:
        made: argparse.ArgumentParser = verbs.add_parser(name, help=text, description=text)
        made.set_defaults(run=run)
        return made

    listing = verb("ls", _ls, "list networks with their layers, views, sizes and the runs that used them")
    sizes = verb("du", _du, "a line per network: images, shards, bytes")
    checking = verb("verify", _verify, "compare every byte with the shards' digests")
    checking.add_argument("--repair", action="store_true", help="remove damaged shards, extract their features again")
    checking.add_argument(
        "--again", type=_count, default=0, metavar="N", help="also extract N images of each run again, and compare"
    )
    pruning = verb("prune", _prune, "delete features, and what dead processes left; asks first")
    pruning.add_argument("--backbone", default="", help="part of the backbone's name, or the start of the digest")
    pruning.add_argument("--unused-days", type=_days, help="only what was not used for so many days")
    pruning.add_argument("--yes", action="store_true", help="do not ask")
    for each in (listing, sizes, checking, pruning):
        also = "; trust=PACKAGE, whose code runs on record may name" if each is checking else ""
        each.add_argument(
            "settings", nargs="*", help=f"home=DIR, store.root=DIR or store.url=s3://…{also}", metavar="SETTING"
        )
    for name, run, text in (
        ("push", _push, "copy features from the store on disk to one in a bucket"),
        ("pull", _pull, "copy features from a bucket to the store on disk"),
    ):
        copying = verb(name, run, text)
        copying.add_argument("--backbone", default="", help="part of the backbone's name, or the start of the digest")
        copying.add_argument(
            "settings", nargs="+", help="store.url=s3://…, home=DIR, store.root=DIR", metavar="SETTING"
        )
    out = verb("export", _export, "write features and ids to a folder, extracting what is missing")
    out.add_argument("folder", help="where to")
    out.add_argument("overrides", nargs="*", help="as for offshelf extract: dataset=… backbone=… layer=…")
    out.add_argument("--format", choices=("npy", "parquet"), default="npy")
    return parser
