"""OverFeat: both whole networks against NumPy, from random files in the layout of the released ones."""

import shutil

import numpy as np
import pytest
import torch
from overfeat_oracle import CONVOLUTIONS, MODULES, outputs

from offshelf.augmentation import View, whole
from offshelf.backbone import OverFeat, select_layers
from offshelf.errors import BackboneError
from offshelf.extractor import Extractor, Request
from offshelf.extractor.engine import Eager
from offshelf.extractor.proof import relative_distance
from offshelf.identity import digest, file_digest

NETWORKS = ("fast", "accurate")
FILES = {"fast": "net_weight_0", "accurate": "net_weight_1"}
FLOATS = {"fast": 145_920_872, "accurate": 144_656_488}

SIZES = {
    "fast": [231, 56, 56, 28, 24, 24, 12, 14, 12, 12, 14, 12, 12, 14, 12, 12, 6, 1, 1, 1, 1, 1],
    "accurate": [221, 108, 108, 36, 30, 30, 15, 17, 15, 15, 17, 15, 15, 17, 15, 15, 17, 15, 15, 5, 1, 1, 1, 1, 1],
}
"""Side of each module's output for one window."""

INDICES = {
    "fast": {
        **{"conv1": 1, "conv1_relu": 2, "pool1": 3, "conv2": 4, "conv2_relu": 5, "pool2": 6},
        **{"conv3": 8, "conv3_relu": 9, "conv4": 11, "conv4_relu": 12, "conv5": 14, "conv5_relu": 15, "pool5": 16},
        **{"fc1": 17, "fc1_relu": 18, "fc2": 19, "fc2_relu": 20},
    },
    "accurate": {
        **{"conv1": 1, "conv1_relu": 2, "pool1": 3, "conv2": 4, "conv2_relu": 5, "pool2": 6},
        **{"conv3": 8, "conv3_relu": 9, "conv4": 11, "conv4_relu": 12, "conv5": 14, "conv5_relu": 15},
        **{"conv6": 17, "conv6_relu": 18, "pool6": 19, "fc1": 20, "fc1_relu": 21, "fc2": 22, "fc2_relu": 23},
    },
}
"""Layers that `all` stands for, with their module's index in the package."""


@pytest.fixture(
    scope="module",
    params=[pytest.param("fast", marks=pytest.mark.slow), pytest.param("accurate", marks=pytest.mark.soak)],
)
def network(request):
    """Both, one after the other."""
    return request.param


@pytest.fixture(scope="module")
def file(network, tmp_path_factory):
    """Weights that keep the scale of activations (He et al., ICCV 2015) and biases, drawn with a seed; 580 MB."""
    path, random = tmp_path_factory.mktemp("overfeat") / FILES[network], np.random.default_rng(0)
    with path.open("wb") as out:
        for shape, *_ in CONVOLUTIONS[network].values():
            weights = random.standard_normal(shape, np.float32)
            weights *= np.float32((2 / np.prod(shape[1:])) ** 0.5)
            weights.tofile(out)
            (0.1 * random.standard_normal(shape[0], np.float32)).tofile(out)
    yield path
    shutil.rmtree(path.parent)


@pytest.fixture(scope="module")
def loaded(network, file):
    """The network with the file's weights."""
    return OverFeat(network, str(file)).load()


@pytest.fixture(scope="module")
def outline(network, file):
    """The network without values, for the shapes of its outputs."""
    return OverFeat(network, str(file)).load().to("meta")


@pytest.fixture
def hollow(tmp_path):
    """Makes files of so many bytes, all zero, that take no room."""

    def make(size, name="file"):
        path = tmp_path / name
        with path.open("wb") as out:
            out.truncate(size)
        return path

    return make


def photographs(side):
    """The middles of scikit-learn's two photographs, uint8 [2, side, side, 3]."""
    from sklearn.datasets import load_sample_images

    return np.stack([image[100 : 100 + side, 200 : 200 + side] for image in load_sample_images().images])


def test_every_module_is_that_of_numpy(network, file):
    """All numbers of both networks from pixels on, module by module in the package's numbering; and their sizes."""
    pixels, spec = photographs(SIZES[network][0]), OverFeat(network, str(file))
    layers = tuple(str(index) for index in range(len(SIZES[network])))
    found = Eager(Request(spec, layers, "flatten", (View(),)))(torch.from_numpy(pixels))

    for row, image in enumerate(pixels):
        expected = outputs(network, file, image)
        assert [values.shape[1] for values in expected] == SIZES[network]
        for layer, values in zip(layers, expected, strict=True):
            assert found[layer][row].shape == (values.size,)
            assert relative_distance(found[layer][row], torch.from_numpy(values).flatten()) <= 1e-5, layer
        assert 0.1 < expected[-2].std() < 10  # nothing has died or exploded on the way


def test_sizes_of_all_outputs(network, outline):
    """As listed, under names and indices; and the number of weights."""
    shapes = {info.name: info.shape for info in outline.listing(SIZES[network][0])}

    assert [shapes[str(index)][1] for index in range(len(SIZES[network]))] == SIZES[network]
    assert [shapes[name] for name in INDICES[network]] == [shapes[str(index)] for index in INDICES[network].values()]
    assert sum(part.numel() for part in outline.parameters()) == FLOATS[network]


def test_larger_images_give_maps(network, outline):
    """An output a window, by the package's formulas: of 231 pixels every 32 (fast), of 221 every 36 (accurate)."""
    for steps in range(3):
        side = SIZES[network][0] + {"fast": 32, "accurate": 36}[network] * steps
        expected = {"fast": ((side - 11) // 4 + 1) // 8 - 6, "accurate": ((side - 7) // 2 + 1) // 18 - 5}[network]
        shapes = {info.name: info.shape for info in outline.listing(side)}

        assert expected == 1 + steps
        assert shapes["classifier"] == (1000, expected, expected)


def test_layer_alone_is_layer_among_others(network, loaded):
    """To the bit; an index is the layer of that name."""
    images = torch.randn(1, 3, SIZES[network][0], SIZES[network][0], generator=torch.Generator().manual_seed(0))
    together = loaded.features(images, [*INDICES[network], "classifier"], "auto")

    for name in ("conv4_relu", "fc1"):
        index = str(INDICES[network][name])
        assert torch.equal(loaded.features(images, [index], "auto")[index], together[name]), name


def test_weights_stay_in_the_file(network, file):
    """Memory-mapped, and what is written to them does not reach it."""
    loaded, place = OverFeat(network, str(file)).load(), 4 * (FLOATS[network] - 1000)
    bias, before = loaded.module[-1].bias, np.fromfile(file, "<f4", offset=place)

    assert loaded.module[1].weight.untyped_storage().nbytes() == 4 * FLOATS[network]
    assert np.array_equal(bias, before)
    bias.zero_()
    assert np.array_equal(np.fromfile(file, "<f4", offset=place), before)


def test_identity_is_the_file(network, file, tmp_path):
    """Its bytes; neither its path nor the seed, which counts without a file."""
    spec = OverFeat(network, str(file))
    (tmp_path / "other").hardlink_to(file)

    assert spec.identity()["weights"] == file_digest(file)
    assert OverFeat(network, str(tmp_path / "other"), seed=3).identity() == spec.identity()
    random = [OverFeat(network, None), OverFeat(network, None, seed=3)]
    assert len({digest(one.identity()) for one in [spec, *random]}) == 3


@pytest.mark.parametrize("network", NETWORKS)
def test_names_of_the_layers(network):
    """From input to output, with their index in the package; those that are no features can be asked for as well."""
    spec = OverFeat(network, None)
    modules = MODULES[network].split()
    others = {"norm": "norm", "conv3_pad": "pad", "conv5_pad": "pad", "classifier": modules[-1]}

    assert {name: int(spec.module_of(name)) for name in spec.layer_names()} == INDICES[network]
    assert list(spec.layer_names()) == sorted(INDICES[network], key=INDICES[network].get)
    assert {name: modules[int(spec.module_of(name))] for name in others} == others


@pytest.mark.parametrize(
    ("asked", "chosen", "modules"),
    [
        (22, ("22",), ["22"]),
        ("22", ("22",), ["22"]),
        ([20, 21, "22"], ("20", "21", "22"), ["20", "21", "22"]),
        (["fc2", "fc1", "fc1_relu"], ("fc1", "fc1_relu", "fc2"), ["20", "21", "22"]),
        ("paper", ("paper",), ["21"]),
        ("last", ("fc2_relu",), ["23"]),
        ("fc*", ("fc1", "fc1_relu", "fc2", "fc2_relu"), ["20", "21", "22", "23"]),
        ("classifier", ("classifier",), ["24"]),
    ],
)
def test_layers_are_asked_for(asked, chosen, modules):
    """By index or name, one or several; `paper` is the first fully connected layer after its ReLU."""
    spec = OverFeat("accurate", None)

    assert select_layers(asked, spec.layer_names(), spec.name) == chosen
    assert [spec.module_of(layer) for layer in chosen] == modules


def test_index_and_name_are_one_feature():
    """In the store."""
    spec, extractor = OverFeat("accurate", None), Extractor(device="cpu")
    keys = {extractor.key(spec, layer, "auto", whole().views[0]).digest for layer in ("21", "fc1_relu", "paper")}

    assert len(keys) == 1


def test_relu_has_a_threshold(hollow):
    """Of 1e-6, itself excluded."""
    relu = OverFeat("accurate", str(hollow(4 * FLOATS["accurate"]))).load().module[2]
    values = torch.tensor([-1.0, 0.0, 5e-7, 1e-6, 2e-6, 1.0])

    assert torch.equal(relu(values), torch.tensor([0.0, 0.0, 0.0, 0.0, 2e-6, 1.0]))


@pytest.mark.slow
def test_random_weights_are_their_seed():
    """And only asked for in words; signals keep their scale."""
    first, again, other = (OverFeat("fast", None, seed).load() for seed in (0, 0, 1))
    images = torch.randn(1, 3, 231, 231, generator=torch.Generator().manual_seed(0))

    assert torch.equal(first.module[19].weight, again.module[19].weight)
    assert not torch.equal(first.module[19].weight, other.module[19].weight)
    assert 0.1 < first.features(images, ["fc2_relu"], "auto")["fc2_relu"].std() < 10
    with pytest.raises(TypeError, match="weights"):
        OverFeat("fast")


@pytest.mark.parametrize("network", NETWORKS)
def test_missing_file(network, tmp_path):
    """Known before anything is built: where it belongs, and where it comes from. A folder is no file."""
    told = rf"\. .*overfeat-weights\.tgz.*place its {FILES[network]} there"
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(BackboneError, match=f"at {path}{told}"):
            OverFeat(network, str(path)).identity()


def test_file_of_the_other_network(hollow):
    """Both counts, and the option that it belongs to."""
    with pytest.raises(BackboneError, match=r"145,920,872 weights, those of the fast .*144,656,488.*=overfeat_fast$"):
        OverFeat("accurate", str(hollow(4 * FLOATS["fast"]))).identity()
    with pytest.raises(BackboneError, match=r"144,656,488 weights, those of the accurate.*145,920,872.*=overfeat$"):
        OverFeat("fast", str(hollow(4 * FLOATS["accurate"]))).load()


@pytest.mark.parametrize("more", [-1, -4, 1, 4, -4 * FLOATS["fast"]])
def test_file_of_another_length(more, hollow):
    """A byte or a number too few or too many, or empty."""
    size = 4 * FLOATS["fast"] + more
    with pytest.raises(BackboneError, match=rf"{size:,} bytes .*net_weight_0 has 583,683,488 \(145,920,872\)"):
        OverFeat("fast", str(hollow(size))).identity()


@pytest.mark.parametrize(
    ("value", "place", "named"),
    [(np.nan, 0, "weight of module 1 "), (np.inf, 34_848, "bias of module 1 "), (-np.inf, -1, "bias of module 21 ")],
)
def test_weights_that_are_not_finite(value, place, named, hollow):
    """Refused, with the module."""
    path = hollow(4 * FLOATS["fast"])
    np.memmap(path, "<f4", mode="r+")[place] = value
    with pytest.raises(BackboneError, match=f"damaged: the {named}"):
        OverFeat("fast", str(path)).load()


def test_unknown_network():
    """The nearest is named."""
    with pytest.raises(BackboneError, match="no network 'acurate'; did you mean 'accurate'"):
        OverFeat("acurate", None)
