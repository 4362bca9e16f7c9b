"""`load_backbone` and `encode`: each kind of input gives the same features, which are those of the command line."""

import copy
import inspect
import json
import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
import warm
from PIL import Image as Pillow
from torch import nn

import offshelf
from offshelf.backbone import Custom, Tiny
from offshelf.config import build_group, load


@pytest.fixture
def net():
    """A small random network."""
    return offshelf.load_backbone("tiny")


class Pairs:
    """A map-style data set, as torchvision's are: no iterator, labels beside the images."""

    def __init__(self, images):
        self.images, self.reads = images, 0

    def __len__(self):
        return len(self.images)

    def __getitem__(self, row):
        self.reads += 1
        return self.images[range(len(self.images))[row]], 3


def kinds(paths):
    """The same images as a program may have them."""
    pils = [Pillow.open(path).convert("RGB") for path in paths]
    arrays = [np.array(image) for image in pils]
    yield "paths", paths
    yield "texts", [str(path) for path in paths]
    yield "an array of texts", np.array([str(path) for path in paths])
    yield "a generator", (path for path in paths)
    yield "bytes", [path.read_bytes() for path in paths]
    yield "PIL", pils
    yield "grey PIL", [image.convert("L") for image in pils]
    yield "arrays", arrays
    yield "NHWC", np.stack(arrays)
    yield "tensor NHWC", torch.from_numpy(np.stack(arrays))
    yield "tensors", [torch.from_numpy(array) for array in arrays]
    yield "a Series", pd.Series([str(path) for path in paths], index=[f"i{row}" for row in range(len(paths))])
    yield "pairs", [(path, 0) for path in paths]
    yield "a data set", Pairs(pils)
    yield "a subset", torch.utils.data.Subset(Pairs([*pils, *pils]), range(len(pils)))


@pytest.mark.slow
def test_every_kind_of_images(net, folder):
    """Gives the features of the folder."""
    place, paths = folder
    expected = net.encode(place)

    assert (expected.shape, expected.dtype) == ((15, 32), np.float32)
    assert len(np.unique(expected, axis=0)) == 15
    for name, images in kinds(paths):
        np.testing.assert_array_equal(net.encode(images), expected, err_msg=name)


def test_one_image(net, folder):
    """Has no first axis."""
    place, paths = folder
    expected = net.encode(place)[4]

    for image in (
        paths[4],
        str(paths[4]),
        paths[4].read_bytes(),
        Pillow.open(paths[4]),
        np.array(Pillow.open(paths[4])),
    ):
        np.testing.assert_array_equal(net.encode(image), expected)
    assert net.encode([paths[4]]).shape == (1, 32)


def test_layers(net, digits):
    """A name gives an array; a list, a pattern and `all` give one for each layer, equal to those asked alone."""
    pixels, _ = digits
    several = net.encode(pixels[:5], layer=["block1", "block3"])

    assert {name: values.shape for name, values in several.items()} == {"block1": (5, 8), "block3": (5, 32)}
    assert list(net.encode(pixels[:5], layer="all")) == ["block1", "block2", "block3"]
    assert list(net.encode(pixels[:5], layer="block[12]")) == ["block1", "block2"]
    for name, values in several.items():
        np.testing.assert_array_equal(net.encode(pixels[:5], layer=name), values)
    np.testing.assert_array_equal(net.encode(pixels[:5]), several["block3"])
    assert {name: row.shape for name, row in net.encode(pixels[0], layer="all").items()}["block2"] == (16,)


def test_against_pytorch(net, digits):
    """By hand: PyTorch's own resize, centre crop and normalisation, the module, and a mean over space."""
    image = torch.from_numpy(digits[0][0]).permute(2, 0, 1)[None].float()
    seen = nn.functional.interpolate(image, (32, 32), mode="bilinear", antialias=True).round() / 255
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    network = net.spec.load().module
    with torch.no_grad():
        expected = network((seen - mean) / std).mean((2, 3))[0].numpy()

    np.testing.assert_allclose(net.encode(digits[0][0]), expected, rtol=0.02, atol=0.005)


def test_views(net, digits):
    """Several views have an axis; the first of `mirror` is the plain one, the second that of the flipped pixels."""
    pixels = digits[0][:4]
    views = net.encode(pixels, augmentation="mirror")

    assert views.shape == (4, 2, 32)
    np.testing.assert_array_equal(views[:, 0], net.encode(pixels))
    np.testing.assert_allclose(views[:, 1], net.encode(pixels[:, :, ::-1].copy()), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(
        net.encode(pixels, augmentation=build_group(load("extract", ["augmentation=mirror"]), "augmentation")), views
    )


def test_pooling(net, digits):
    """A maximum is above the mean; flattened maps have all values."""
    assert (net.encode(digits[0][:4], pooling="max") >= net.encode(digits[0][:4])).all()
    assert net.encode(digits[0][:4], pooling="flatten").shape == (4, 32 * 4 * 4)


def test_frames(net, folder):
    """Ids travel with the features: relative paths, an index, row numbers."""
    place, paths = folder
    frame = net.encode(place, as_frame=True)

    assert list(frame.index) == [path.relative_to(place).as_posix() for path in paths]
    assert (frame.index.name, list(frame.columns[:2]), frame.shape) == ("id", ["block3_0", "block3_1"], (15, 32))
    np.testing.assert_array_equal(frame.to_numpy(), net.encode(place))
    assert list(net.encode(pd.Series(paths[:2], index=["a", "b"]), as_frame=True).index) == ["a", "b"]
    assert list(net.encode([path.read_bytes() for path in paths[:2]], as_frame=True).index) == [0, 1]
    assert list(net.encode(paths[:2], as_frame=True).index) == [str(path) for path in paths[:2]]
    assert list(net.encode(place, layer="all", as_frame=True)["block1"].columns[:1]) == ["block1_0"]


@pytest.mark.slow
def test_same_digits_as_the_command_line(folder, tmp_path):
    """As `offshelf store export` extracts them and hands them out."""
    place, paths = folder
    words = ["dataset=folder", f"dataset.root={place}", "backbone=efficientnet_lite0", "layer=blocks.5"]
    subprocess.run([warm.program(), "store", "export", str(tmp_path / "out"), *words], check=True, capture_output=True)
    values = np.load(tmp_path / "out" / "blocks.5.npy")

    found = offshelf.load_backbone("efficientnet_lite0").encode(paths, layer="blocks.5")

    assert found.shape == (15, 192)
    np.testing.assert_array_equal(found, values.reshape(15, 192))


def test_defaults_are_those_of_the_configs():
    """Of the settings that `encode` and `Features` have in common with `conf/`."""
    config = load("extract", [])
    expected = {
        "layer": config.layer,
        "pooling": config.pooling,
        "device": config.extractor.device,
        "precision": config.extractor.precision,
        "batch_size": config.extractor.batch_size,
    }
    for function in (offshelf.Backbone.encode, offshelf.Features.__init__):
        known = inspect.signature(function).parameters
        assert {name: known[name].default for name in expected} == expected
        assert build_group(load("extract", [f"augmentation={known['augmentation'].default}"]), "augmentation") == (
            build_group(config, "augmentation")
        )


def test_bad_images(net, folder, tmp_path):
    """All of them in one error, by path or row, whatever is wrong with each."""
    _, paths = folder
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no image")
    images = [paths[0], broken, b"xx", np.zeros((8, 8, 3)), np.zeros((3, 8, 9), np.uint8), 7, tmp_path / "absent.png"]

    with pytest.raises(offshelf.BadImagesError) as raised:
        net.encode(images)

    lines = str(raised.value).splitlines()
    assert lines[0] == "6 image(s) cannot be used; repair or remove them:"
    assert lines[1].startswith(f"{broken} cannot be read as an image")
    assert lines[2].startswith("row 2: an image file of 2 bytes in memory cannot be read")
    assert "row 3" in lines[3] and "float64 [8, 8, 3]" in lines[3] and "astype(np.uint8)" in lines[3]
    assert "row 4" in lines[4] and "permute(1, 2, 0)" in lines[4]
    assert lines[5] == "row 5: a path, bytes, a PIL image, or uint8 pixels [H, W, 3] was expected; got a int."
    assert lines[6].startswith(f"{tmp_path / 'absent.png'} cannot be read: No such file")
    assert sorted(raised.value.faults) == [1, 2, 3, 4, 5, 6]
    assert str(pickle.loads(pickle.dumps(raised.value))) == str(raised.value)


@pytest.mark.parametrize("nothing", [[], (), np.zeros((0, 8, 8, 3), np.uint8)])
def test_no_images(net, nothing):
    """Said in one sentence."""
    with pytest.raises(offshelf.DatasetError, match="no images to encode"):
        net.encode(nothing)


def test_what_is_no_list(net):
    """Nor an image."""
    with pytest.raises(offshelf.DatasetError, match="one image or a sequence of images; got a int"):
        net.encode(5)


def test_random_transform(net, digits):
    """A data set that gives other pixels each time is told from one that does not."""

    class Noisy(Pairs):
        def __getitem__(self, row):
            noise = np.random.default_rng(self.reads).integers(0, 99, (8, 8, 3), dtype=np.uint8)
            self.reads += 1
            return noise, 0

    with pytest.raises(offshelf.BadImagesError, match="row 0: the data set returns other pixels each time"):
        net.encode(Noisy(digits[0][:2]))


def test_deep_pil(net):
    """16 bits are refused with the way out."""
    with pytest.raises(offshelf.BadImagesError, match=r"mode I;16 has more than 8 bits.*path of its file"):
        net.encode(Pillow.fromarray(np.full((9, 9), 4000, np.uint16)))


def test_pil_is_read_as_its_file(net, tmp_path):
    """Transparency on white, orientation upright."""
    pixels = np.random.default_rng(0).integers(0, 255, (20, 30, 4), dtype=np.uint8)
    image = Pillow.fromarray(pixels)
    exif = Pillow.Exif()
    exif[0x0112] = 6
    image.save(tmp_path / "turned.png", exif=exif)

    np.testing.assert_array_equal(net.encode(Pillow.open(tmp_path / "turned.png")), net.encode(tmp_path / "turned.png"))
    assert not np.array_equal(net.encode(Pillow.open(tmp_path / "turned.png")), net.encode(image))


def test_prints_nothing(net, digits, capfd):
    """Unless a progress bar is asked for, which is on stderr."""
    net.encode(digits[0][:4])
    quiet = capfd.readouterr()
    net.encode(digits[0][:4], progress=True)
    told = capfd.readouterr()

    assert (quiet.out, quiet.err, told.out) == ("", "", "")
    assert "Extracting tiny" in told.err


def test_store(net, digits, tmp_path, monkeypatch, home):
    """What is in a store is not passed through the network again; without one nothing is left on disk."""
    first = net.encode(digits[0][:6], store=tmp_path / "store")
    net.encode(digits[0][:6], store="home")
    assert list((tmp_path / "store").rglob("*.safetensors")) and list((home / "store").rglob("*.safetensors"))
    monkeypatch.setattr(Tiny, "load", lambda self: pytest.fail("a network was built"))

    again = offshelf.load_backbone(Tiny())
    np.testing.assert_array_equal(again.encode(digits[0][:6], store=tmp_path / "store"), first)
    np.testing.assert_array_equal(again.encode(digits[0][:6], store="home"), first)


def test_network_is_built_once(digits, monkeypatch):
    """For calls that ask for the same."""
    built, load_tiny = [], Tiny.load
    monkeypatch.setattr(Tiny, "load", lambda self: built.append(self) or load_tiny(self))
    net = offshelf.load_backbone(Tiny(seed=4))

    for row in range(3):
        net.encode(digits[0][row])

    assert len(built) == 1


def test_keys_of_a_backbone():
    """As on the command line; misspelt ones are answered as there."""
    assert offshelf.load_backbone("tiny", seed=7).spec == Tiny(seed=7)
    timm = offshelf.load_backbone("timm", arch="resnet18", weights=None, seed=2).spec
    assert timm == build_group(
        load("layers", ["backbone=timm", "backbone.arch=resnet18", "backbone.weights=null", "backbone.seed=2"]),
        "backbone",
    )
    custom = offshelf.load_backbone("custom", module="my_nets.Small", kwargs={"width": 64}, sees={"crop": 64}).spec
    assert isinstance(custom, Custom)
    assert (custom.module, custom.kwargs, custom.sees.crop, custom.sees.resize) == (
        "my_nets.Small",
        {"width": 64},
        64,
        256,
    )
    for call, sentence in (
        (lambda: offshelf.load_backbone("tinny"), "did you mean 'tiny'"),
        (lambda: offshelf.load_backbone("tiny", sed=1), "did you mean 'seed'"),
        (lambda: offshelf.load_backbone("timm"), "Missing: backbone.arch"),
        (lambda: offshelf.load_backbone(Tiny(), seed=1), "seed: keys of a backbone go with its name"),
        (lambda: offshelf.load_backbone(nn.ReLU(), seed=1), "An nn.Module has no option 'seed'"),
        (lambda: offshelf.load_backbone("tiny", seed=object()), "backbone.seed takes texts, numbers"),
    ):
        with pytest.raises(offshelf.ConfigError, match=sentence):
            call()
    with pytest.raises(offshelf.BackboneError, match=r"A backbone is a name, an nn.Module or a spec"):
        offshelf.load_backbone(3)


def test_unknown_layer_and_settings(net, digits):
    """In the sentences of the command line."""
    with pytest.raises(offshelf.BackboneError, match=r"tiny has no layer 'blok1'; did you mean 'block1'"):
        net.encode(digits[0], layer="blok1")
    with pytest.raises(offshelf.ConfigError, match=r"extractor.device must be auto, cpu or cuda; got 'tpu'"):
        net.encode(digits[0], device="tpu")
    with pytest.raises(offshelf.ConfigError, match=r"augmentation has no option 'mirrored'; did you mean 'mirror'"):
        net.encode(digits[0], augmentation="mirrored")


def test_layers_of_a_handle(net):
    """Their dimensions are those of the features."""
    table = net.layers

    assert list(table.index[:3]) == ["block1", "block2", "block3"]
    assert table.loc["block2"].to_dict() == {"module": "1", "shape": (16, 8, 8), "dims": 16}
    assert "<table" in table._repr_html_()
    black = np.zeros((8, 8, 3), np.uint8)
    assert {name: len(row) for name, row in net.encode(black, list(table.index)).items()} == table.dims.to_dict()
    assert "tiny sees: shorter side to 32" in repr(net) and "block3" in repr(net)


def test_handles(net):
    """Are equal by their specs, are their own copies, and are pickled by name."""
    assert offshelf.load_backbone("tiny") is net
    assert offshelf.load_backbone(net) is net
    assert copy.deepcopy(net) is net and copy.copy(net) is net
    assert offshelf.load_backbone(Tiny()) == net != offshelf.load_backbone("tiny", seed=1)
    pickled = pickle.dumps(offshelf.load_backbone("tiny", seed=1))
    assert len(pickled) < 300
    assert pickle.loads(pickled).spec == Tiny(seed=1)


class Small(nn.Module):
    """A network of the user's own."""

    def __init__(self):
        super().__init__()
        self.first, self.act = nn.Conv2d(3, 8, 3), nn.ReLU(inplace=True)
        self.second, self.head = nn.Conv2d(8, 16, 3), nn.Linear(16, 5)

    def forward(self, x):
        x = self.act(self.first(x))
        return self.head(self.second(x).mean((2, 3)))


def test_module(digits, tmp_path):
    """Is copied as it is, left as it was, and gives what it gives when it is called."""
    module = Small().train()
    net = offshelf.load_backbone(module, sees={"crop": 8, "resize": 8, "mean": [0, 0, 0], "std": [1, 1, 1]})
    with torch.no_grad():
        seen = torch.from_numpy(digits[0][:6]).permute(0, 3, 1, 2) / 255
        expected = {
            "head": module(seen).numpy(),
            "second": module.second(module.act(module.first(seen))).mean((2, 3)).numpy(),
        }
    with torch.no_grad():
        module.head.weight.zero_()

    found = net.encode(digits[0][:6], layer=["second", "head"])

    for layer, values in expected.items():
        np.testing.assert_allclose(found[layer], values, rtol=1e-5, atol=1e-6)
    assert module.training and module.act.inplace and module.first.weight.requires_grad
    assert (net.name, list(net.layers.index[:2])) == ("Small", ["first", "second"])
    with pytest.raises(offshelf.ConfigError, match=r"Features of Small cannot be kept on disk.*given as an object"):
        net.encode(digits[0][:6], store=tmp_path / "store")
    with pytest.raises(offshelf.BackboneError, match="Small was given as an object and cannot be sent"):
        pickle.dumps(net)
    with pytest.raises(offshelf.BackboneError, match="sees has no key 'crp'; did you mean 'crop'"):
        offshelf.load_backbone(module, sees={"crp": 1})


def test_timm_module_has_its_preprocessing():
    """Of a model that timm made, not ImageNet's usual one."""
    import timm

    net = offshelf.load_backbone(timm.create_model("tf_efficientnet_lite0", pretrained=False))

    assert net.spec.preprocessing() == offshelf.load_backbone("efficientnet_lite0").spec.preprocessing()
    assert net.layer_names()[-1] == "pre_logits"


@pytest.mark.slow
def test_encode_needs_no_scikit_learn():
    """Nor MLflow: a program that only encodes does not pay for them."""
    program = (
        "import sys, numpy, offshelf; offshelf.load_backbone('tiny').encode(numpy.zeros((8, 8, 3), numpy.uint8));"
        "import json; print(json.dumps([name for name in ('mlflow', 'sklearn') if name in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []
