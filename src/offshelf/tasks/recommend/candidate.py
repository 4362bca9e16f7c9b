"""Candidates: backbones whose weights are available here, and those whose weights are not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from offshelf.backbone import Backbone, Timm, Torchvision, cached
from offshelf.errors import BackboneError, ConfigError
from offshelf.suggest import did_you_mean

ZOOS = {"timm": Timm, "torchvision": Torchvision}


@dataclass(frozen=True)
class Candidate:
    """A backbone that can be tried."""

    name: str
    """Its name among the config's `backbones`, or `timm/ARCH`, `torchvision/ARCH`."""
    backbone: Backbone

    @property
    def words(self) -> list[str]:
        """The overrides that select it on the command line."""
        zoo, _, arch = self.name.partition("/")
        if not arch:
            return [f"backbone={self.name}"]
        weights = getattr(self.backbone, "weights", None)
        given = [f"backbone.weights={weights}"] if weights not in ("DEFAULT", "pretrained") else []
        return [f"backbone={zoo}", f"backbone.arch={arch}", *given]


@dataclass(frozen=True)
class Skipped:
    """A backbone that was not tried."""

    name: str
    why: str


def candidates(backbones: Mapping[str, Backbone], asked: Sequence[str] | None) -> list[Candidate]:
    """Return the backbones asked for by name; by default those of the config and of the caches of timm and torchvision.

    Raises:
        ConfigError: there are none, or a name is unknown.
    """
    if asked is None:
        own = [Candidate(name, backbone) for name, backbone in backbones.items()]
        return own + [Candidate(name, backbone) for name, backbone in cached().items()]
    if not asked:
        raise ConfigError("There are no candidates; candidates=null tries all that are at hand.")
    return [_named(name, backbones) for name in dict.fromkeys(map(str, asked))]


def at_hand(found: Sequence[Candidate]) -> tuple[list[Candidate], list[Skipped]]:
    """Return the candidates whose weights are available, without duplicates, and the others.

    Call it where nothing may be downloaded; see `without_downloads`.
    """
    here: list[Candidate] = []
    skipped: list[Skipped] = []
    known = []
    for candidate in found:
        try:
            identity = candidate.backbone.identity()
        except BackboneError as error:
            skipped.append(Skipped(candidate.name, str(error)))
            continue
        if identity not in known:
            known.append(identity)
            here.append(candidate)
    return here, skipped


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
