"""Sequences of transforms by name."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from offshelf.errors import ConfigError
from offshelf.suggest import did_you_mean

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from offshelf.postprocess.parts import ByPart
    from offshelf.postprocess.postprocess import Transformer

STEPS = {
    **dict.fromkeys(("l1", "l2", "standardize", "standardize_domains"), ""),
    **dict.fromkeys(("pca", "pca_whiten"), "components"),
    "power": "power",
}
"""Names of steps, and the setting of each, if any."""

SETTINGS = ("steps", "components", "power")


def chain(steps: Sequence[Any], **settings: Any) -> "Pipeline":
    """Combine transforms in the given order.

    Args:
        steps: Any of `l2` (each row to unit length), `l1` (the absolute values of a row to the sum 1), `standardize`
            (each dimension to zero mean and unit variance), `standardize_domains` (test images by their own mean and
            variance, see DomainScaler), `pca` (to principal components), `pca_whiten` (the same, each to unit
            variance), `power` (see SignedPower), or any scikit-learn transformer.
        settings: `components`, the number that `pca` and `pca_whiten` keep (None: all), and `power`. They have no
            effect without a step that takes them.

    Raises:
        ConfigError: A step or setting does not exist, is missing or does not fit.
    """
    if not steps or isinstance(steps, str) or not isinstance(steps, Sequence):
        raise ConfigError(f"postprocess.steps must be a list of at least one step; got {steps!r}.")
    for name in settings:
        if name not in SETTINGS:
            raise ConfigError(f"postprocess has no key '{name}'{did_you_mean(name, SETTINGS)}")
    return sequence(steps, settings, "postprocess")


def sequence(steps: Sequence[Any], settings: Mapping[str, Any], group: str) -> "Pipeline":
    """Combine transforms as `chain` does; without steps rows are unchanged. `group` is the config's, for messages.

    Raises:
        ConfigError: As `chain`.
    """
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    if isinstance(steps, str) or not isinstance(steps, Sequence):
        raise ConfigError(f"{group}.steps must be lists of steps; got {steps!r}.")
    return make_pipeline(*([_transformer(step, settings, group) for step in steps] or [FunctionTransformer()]))


def by_part(transformers: "Sequence[Transformer]", widths: Sequence[int]) -> "ByPart":
    """Combine transforms of the parts of a row, see `ByPart`."""
    from offshelf.postprocess.parts import ByPart

    return ByPart(transformers, widths)


def _transformer(step: Any, settings: Mapping[str, Any], group: str) -> Any:
    from sklearn.preprocessing import Normalizer, StandardScaler

    from offshelf.postprocess.domains import DomainScaler
    from offshelf.postprocess.projection import Projection, check_components
    from offshelf.postprocess.signed_power import SignedPower, check_power

    if hasattr(step, "fit") and hasattr(step, "transform"):
        return step
    if not isinstance(step, str) or step not in STEPS:
        raise ConfigError(f"{group}.steps has no step '{step}'{did_you_mean(str(step), list(STEPS))}")
    setting = STEPS[step]
    if setting and setting not in settings:
        raise ConfigError(f"The step '{step}' needs {group}.{setting}: add +{group}.{setting}=…")
    if step in ("l1", "l2"):
        return Normalizer(step)
    if step in ("standardize", "standardize_domains"):
        return StandardScaler() if step == "standardize" else DomainScaler()
    if step == "power":
        check_power(settings["power"])
        return SignedPower(settings["power"])
    check_components(settings["components"])
    return Projection(settings["components"], whiten=step == "pca_whiten")
