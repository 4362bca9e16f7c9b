"""Chains of transforms against the same steps by hand."""

import numpy as np
import pytest
from hydra.utils import instantiate
from sklearn.decomposition import PCA
from sklearn.preprocessing import Normalizer

from offshelf.config import conf_dir, load, plain
from offshelf.errors import ConfigError
from offshelf.postprocess import chain, fit_transform

OPTIONS = sorted(path.stem for path in (conf_dir() / "postprocess").glob("*.yaml"))


def option(name, *overrides):
    """A transformer as its YAML and the command line make it."""
    config = plain(load("classify", [f"postprocess={name}", *overrides]))
    return instantiate(config["postprocess"], _convert_="all")


def rows(count, seed):
    """[count, 2, 12], of few small values."""
    return np.random.default_rng(seed).gamma(1, size=(count, 2, 12))


def unit(values):
    return values / np.linalg.norm(values, axis=-1, keepdims=True)


def test_the_papers_retrieval_by_hand():
    """L2, whitened components, L2, signed square."""
    train, test = rows(40, 0), rows(10, 1)
    ours = fit_transform(option("pca_whiten", "postprocess.components=5"), train, test)
    pca = PCA(5, whiten=True, svd_solver="full").fit(unit(train).reshape(-1, 12))
    for found, values in zip(ours, (train, test), strict=True):
        white = unit(pca.transform(unit(values).reshape(-1, 12))).reshape(*values.shape[:2], 5)
        assert found == pytest.approx(white * np.abs(white))


def test_the_papers_classification_by_hand():
    """L2, then the power; other orders by config."""
    train = rows(10, 0) - 1

    assert fit_transform(option("l2_power"), train, train)[0] == pytest.approx(np.sign(train) * unit(train) ** 2)
    again = option("l2_power", "postprocess.steps=[l2,power,l2]")
    assert fit_transform(again, train, train)[0] == pytest.approx(unit(np.sign(train) * train**2))
    swapped = option("l2_power", "postprocess.steps=[power,l2]", "postprocess.power=0.5")
    assert fit_transform(swapped, train, train)[0] == pytest.approx(unit(np.sign(train) * np.abs(train) ** 0.5))


@pytest.mark.parametrize("name", [name for name in OPTIONS if name != "standardize_domains"])
def test_test_rows_do_not_matter(name):
    """What is learnt is learnt of training rows: others beside them change nothing, in no option."""
    few = ["postprocess.components=4"] if name.startswith("pca") else []
    train, test, others = rows(30, 0), rows(8, 1), 100 * rows(50, 2)
    made = [fit_transform(option(name, *few), train, beside) for beside in (test, np.concatenate([test, others]))]

    assert (made[0][0] == made[1][0]).all()
    assert made[0][1] == pytest.approx(made[1][1][:8], rel=1e-12)


def test_any_transformer_is_a_step():
    """Of scikit-learn, between words."""
    train = rows(10, 0)
    made = chain([Normalizer("l1"), "power"], power=2)

    assert fit_transform(made, train, train)[0] == pytest.approx((train / train.sum(axis=2, keepdims=True)) ** 2)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"steps": []}, "postprocess.steps must be a list of at least one step"),
        ({"steps": "l2"}, "postprocess.steps must be a list"),
        ({"steps": ["l2", "witen"]}, "postprocess.steps has no step 'witen'; did you mean 'pca_whiten'?"),
        ({"steps": ["pca"]}, "The step 'pca' needs postprocess.components: add +postprocess.components=…"),
        ({"steps": ["l2"], "componets": 3}, "postprocess has no key 'componets'; did you mean 'components'?"),
        ({"steps": ["pca"], "components": -2}, "components must be a positive whole number"),
        ({"steps": ["power"], "power": 0}, "power must be a number above 0"),
    ],
)
def test_mistakes(settings, sentence):
    """One sentence, before any work."""
    with pytest.raises(ConfigError) as error:
        chain(**settings)

    assert sentence in str(error.value)
