"""Configs: composing, checking and building them. All of Hydra and OmegaConf is behind this package."""

from offshelf.config.check import require_valid
from offshelf.config.compose import composed, load
from offshelf.config.folder import conf_dir
from offshelf.config.instantiation import build, build_group, components, perform, run_config, run_recorded
from offshelf.config.values import plain

__all__ = [
    "build",
    "build_group",
    "components",
    "composed",
    "conf_dir",
    "load",
    "perform",
    "plain",
    "require_valid",
    "run_config",
    "run_recorded",
]
