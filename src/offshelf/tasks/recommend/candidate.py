"""Backbones that are at hand, and those that are not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from offshelf.backbone import Backbone, Timm, Torchvision, cached
from offshelf.errors import BackboneError, ConfigError
from offshelf.suggest import did_you_mean

ZOOS = {"timm": Timm, "torchvision": Torchvision}


@dataclass(frozen=True)
class Candidate:
    """A backbone that may be tried."""

    name: str
    """Its name among the config's `backbones`, or `timm/ARCH`, `torchvision/ARCH`."""
    backbone: Backbone

    @property
    def words(self) -> list[str]:
        """The overrides that mean it, where it is none of the config's."""
        zoo, _, arch = self.name.partition("/")
        if not arch:
            return [f"backbone={self.name}"]
        weights = getattr(self.backbone, "weights", None)
        given = [f"backbone.weights={weights}"] if weights not in ("DEFAULT", "pretrained") else []
        return [f"backbone={zoo}", f"backbone.arch={arch}", *given]


@dataclass(frozen=True)
class Aside:
    """A backbone that was not tried."""

    name: str
    why: str


def candidates(backbones: Mapping[str, Backbone], asked: Sequence[str] | None) -> list[Candidate]:
    """Those asked for by name; else the config's, and what timm and torchvision have in their caches beside these.

    Raises:
        ConfigError: there are none, or one of that name is not known.
    """
    if asked is None:
        own = [Candidate(name, backbone) for name, backbone in backbones.items()]
        return own + [Candidate(name, backbone) for name, backbone in cached().items()]
    if not asked:
        raise ConfigError("There are no candidates; candidates=null tries all that are at hand.")
    return [_named(name, backbones) for name in dict.fromkeys(map(str, asked))]


def at_hand(found: Sequence[Candidate]) -> tuple[list[Candidate], list[Aside]]:
    """Those whose weights are here, none twice, and the others. To be called where nothing may be downloaded."""
    here: list[Candidate] = []
    aside: list[Aside] = []
    known = []
    for candidate in found:
        try:
            identity = candidate.backbone.identity()
        except BackboneError as error:
            aside.append(Aside(candidate.name, str(error)))
            continue
        if identity not in known:
            known.append(identity)
            here.append(candidate)
    return here, aside


def _named(name: str, backbones: Mapping[str, Backbone]) -> Candidate:
    zoo, _, arch = name.partition("/")
    if arch and zoo in ZOOS:
        return Candidate(name, ZOOS[zoo](arch))
    if name not in backbones:
        raise ConfigError(
            f"There is no candidate '{name}'{did_you_mean(name, list(backbones))} Others are timm/ARCH and "
            "torchvision/ARCH; one of your own: +backbone@backbones.mine=OPTION"
        )
    return Candidate(name, backbones[name])
