"""Published weights in local caches."""

from collections.abc import Iterator
from typing import Any

from offshelf.backbone.backbone import Backbone
from offshelf.backbone.download import hub_path
from offshelf.backbone.timm import Timm, import_timm
from offshelf.backbone.torchvision import Torchvision
from offshelf.backbone.torchvision_import import import_torchvision


def cached() -> dict[str, Backbone]:
    """Return backbones of timm and torchvision with downloaded weights, as `timm/ARCH` and `torchvision/ARCH`.

    If a torchvision architecture has several published sets, the newest one in the cache is used.
    """
    return {**dict(_of_torchvision()), **dict(_of_timm())}


def _of_torchvision() -> Iterator[tuple[str, Backbone]]:
    import_torchvision()
    import torchvision.models

    for arch in torchvision.models.list_models(module=torchvision.models):
        sets: Any = torchvision.models.get_model_weights(arch)
        here = [name for name, weights in sets.__members__.items() if hub_path(weights.url).is_file()]
        if here:
            # DEFAULT is an alias of the newest one.
            yield f"torchvision/{arch}", Torchvision(arch, "DEFAULT" if "DEFAULT" in here else here[-1])


def _of_timm() -> Iterator[tuple[str, Backbone]]:
    from huggingface_hub import CacheNotFound, constants, scan_cache_dir

    try:
        repositories = {repo.repo_id for repo in scan_cache_dir(constants.HF_HUB_CACHE).repos}
    except CacheNotFound:
        return
    if not repositories:
        return
    import_timm()
    import timm

    for arch in timm.list_pretrained():
        config = timm.get_pretrained_cfg(arch)
        if config and config.hf_hub_id in repositories:
            yield f"timm/{arch}", Timm(arch)
