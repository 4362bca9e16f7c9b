"""Settings of a race."""

from dataclasses import dataclass

from offshelf.errors import ConfigError


@dataclass(frozen=True)
class Rules:
    """Sizes of the samples, their folds, and the confidence."""

    first: int = 200
    """Images in the first sample; more if a class would have fewer than eight."""
    folds: int = 5
    """Number of folds of a sample; fewer if a class has fewer images."""
    confidence: float = 0.95
    """Probability that no candidate as good as the best is dropped, over all rounds and candidates together."""
    seed: int = 0
    """Seed of samples and folds."""

    def __post_init__(self) -> None:
        for name, least in (("first", 10), ("folds", 2)):
            if not isinstance(getattr(self, name), int) or getattr(self, name) < least:
                raise ConfigError(f"race.{name} is a whole number, {least} or more; got {getattr(self, name)}.")
        if not 0.5 < self.confidence < 1:
            raise ConfigError(f"race.confidence is above 0.5 and below 1; got {self.confidence}.")
