"""Every architecture of timm and torchvision beside its authors' own features: `python tests/architectures.py TABLE`.

Random weights, noise at the architecture's own size. The reference of `layer=last` is timm's
`forward_head(forward_features(x), pre_logits=True)`, that of the other layers `forward_intermediates`; torchvision's is
`create_feature_extractor`. Each architecture runs in a process of its own and adds a row; those that have one are left
out, so that a run can be stopped and goes on. `--again REASON` forgets the rows whose reason contains a text,
`--most N` leaves architectures of more than N million parameters for later. `--shallow` builds them with two blocks in
each stage, all else, widths and sizes among them, as published: the blocks of a stage are alike, and a whole network of
a thousand million parameters takes minutes. Its rows say so.
"""

import argparse
import contextlib
import csv
import functools
import inspect
import math
import multiprocessing
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import torch

FIELDS = (
    "library",
    "architecture",
    "input",
    "geometry",
    "parameters_M",
    "width",
    "last",
    "layers",
    "layer_error",
    "reason",
)


NORM5 = "features.norm5: the reference's is overwritten by the in-place ReLU after it"


@dataclass
class Row:
    """How near the features of an architecture come to its authors'."""

    library: str
    architecture: str
    input: str = ""
    """Height x width."""
    geometry: str = ""
    parameters_M: float | str = ""
    width: int | str = ""
    """Numbers of `layer=last`."""
    last: float | str = ""
    """Largest relative difference of `layer=last`."""
    layers: int | str = ""
    """How many other layers were compared."""
    layer_error: float | str = ""
    """Largest relative difference of those."""
    reason: str = ""


FIELDS = tuple(field.name for field in fields(Row))


SHALLOW = "two blocks a stage"


@contextlib.contextmanager
def shallow(architecture):
    """Meanwhile timm builds the architecture with two blocks in each stage.

    Raises:
        LookupError: it has no parameter for that.
    """
    import timm

    create = timm.create_model
    with torch.device("meta"):
        parameters = inspect.signature(type(create(architecture)).__init__).parameters
    name = next((name for name in ("depth", "depths", "num_blocks", "stages") if name in parameters), None)
    if name is None:
        raise LookupError(architecture)
    default = parameters[name].default
    depth = 2 if isinstance(default, int) else (2,) * len(default)
    timm.create_model = functools.partial(create, **{name: depth})
    try:
        yield
    finally:
        timm.create_model = create


class Cheap:
    """Meanwhile networks draw no weights, which takes most of the time of building them.

    Where numbers would be drawn, their mean or lower bound stands: torch (2.13) draws a truncated normal number until
    it is within the bounds, which what happens to be in memory may never be.
    """

    RANDOM = ("normal_", "uniform_", "erfinv_", "exponential_")
    INITIALISERS = ("kaiming_uniform_", "normal_", "trunc_normal_", "uniform_")
    """Those that hand themselves to a mode, which is off within them."""

    def __enter__(self):
        from torch.overrides import TorchFunctionMode

        skipped = {getattr(torch.Tensor, name) for name in self.RANDOM}
        skipped |= {getattr(torch.nn.init, name) for name in self.INITIALISERS}

        class Skip(TorchFunctionMode):
            def __torch_function__(self, func, types, args=(), kwargs=None):
                kwargs = kwargs or {}
                if func not in skipped:
                    return func(*args, **kwargs)
                tensor, *given = args if args else (kwargs["tensor"],)
                center = kwargs.get("mean", kwargs.get("from", given[0] if given else 0.0))
                with torch.no_grad():
                    return tensor.fill_(center if isinstance(center, int | float) else 0.0)

        self.mode = Skip()
        self.mode.__enter__()

    def __exit__(self, *error):
        self.mode.__exit__(*error)


def fill(module, scale=1.0):
    """Weights from one pool of normal numbers, of a size that hands the variance on, times `scale`."""
    pool = torch.randn(2**20, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        for name, value in [*module.named_parameters(), *module.named_buffers()]:
            if not value.is_floating_point():
                continue
            is_parameter = isinstance(value, torch.nn.Parameter)
            if not is_parameter and not name.endswith(("running_mean", "running_var")):
                continue  # tables that are computed, not trained
            flat = value.view(-1) if value.is_contiguous() else value.reshape(-1)
            numbers = pool.repeat(math.ceil(flat.numel() / len(pool)))[: flat.numel()]
            if name.endswith("running_var"):
                numbers = 1 + 0.1 * numbers.abs()
            elif value.ndim > 1:
                numbers = scale * numbers / math.sqrt(max(1, value[0].numel()))
            else:
                numbers = (1.0 if name.endswith(("weight", "gamma", "scale")) else 0.0) + 0.1 * numbers
            value.copy_(numbers.view(value.shape))
    return module


def difference(found, expected):
    """Largest difference, relative to the largest value that was expected."""
    if found.shape != expected.shape or not found.isfinite().all():
        return math.inf
    return float(f"{(found - expected).abs().max() / expected.abs().max().clamp_min(1e-30):.1e}")


def averaged(values, layout):
    """A map's or tokens' mean over space: the layout is the library's own word."""
    if values.ndim <= 2:
        return values
    if values.ndim == 3:
        return values.mean(1)
    return values.mean((1, 2)) if layout == "NHWC" else values.mean((2, 3))


def compare(library, architecture, img_size=None, most=math.inf):
    """The row of one architecture, and its network."""
    from offshelf.backbone import Timm, Torchvision

    is_timm = library == "timm"
    spec = Timm(architecture, weights=None, img_size=img_size) if is_timm else Torchvision(architecture, weights=None)
    sees = spec.preprocessing()
    geometry = {"Preprocessing": "centre"}.get(type(sees).__name__, type(sees).__name__.lower())
    row = Row(library, architecture, "x".join(map(str, sees.size)), geometry)
    with Cheap():
        names = spec.layer_names()
        network, row.parameters_M = _network(spec, names, most)
    beside = _timm if is_timm else _torchvision
    for scale in (1, 0.3, 0.1):  # deep sums of branches overflow
        fill(network.module, scale)
        if beside(spec, row, names, network):
            break
    return row, network


def _network(spec, names, most):
    from offshelf.backbone import timm, torchvision
    from offshelf.backbone.network import TappedNetwork
    from offshelf.backbone.outline import outline

    def build(size=None):
        if hasattr(spec, "img_size"):
            return timm._resized(spec.arch, size) if size else timm._build(spec.arch, spec.img_size)
        return torchvision._build(spec.arch, size[0] if size else spec.preprocessing().crop)

    if most < math.inf and _millions(outline(build)) > most:
        raise OverflowError
    module = build()
    layers = {name: spec.module_of(name) for name in names}
    return TappedNetwork(module, layers, spec.name, build), _millions(module)


def _millions(module):
    return round(sum(value.numel() for value in module.parameters()) / 1e6, 2)


def _images(size, count=1):
    return torch.randn(count, 3, *size, generator=torch.Generator().manual_seed(1))


def _timm(spec, row, names, network):
    """Fill the row in. Returns whether the reference is finite."""
    module, images = network.module, _images(spec.preprocessing().size)
    with torch.no_grad():
        trunk = module.forward_features(images)
        try:
            expected = module.forward_head(trunk, pre_logits=True)
        except NotImplementedError:
            expected, row.reason = trunk, "no head: forward_features, averaged"
        if not expected.isfinite().all():
            return False
        reference, what = _intermediates(module, images)
    expected = averaged(expected, getattr(module, "output_fmt", "NCHW"))
    stages = dict(zip(what, reference, strict=True))
    asked = [name for name in stages if name in names]
    last = network.features(images, [*asked, names[-1]], "auto")[names[-1]]
    found = network.features(images, asked, "avg") if asked else {}
    row.last, row.width, row.layers = difference(last, expected), last.shape[1], len(asked)
    row.layer_error = max((difference(found[name], stages[name]) for name in asked), default="")
    if not row.reason and len(asked) < len(stages):
        row.reason = f"{len(stages) - len(asked)} stages are no layers of one module"
    return True


def _intermediates(module, images):
    """Means of what timm gives for each stage, and the names of the stages; nothing where it does not."""
    info = getattr(module, "feature_info", None)
    entries = info if isinstance(info, list) else getattr(info, "info", []) or []
    if not hasattr(module, "forward_intermediates") or not entries:
        return [], []
    takes = inspect.signature(module.forward_intermediates).parameters
    options = {"intermediates_only": True, "norm": False, "output_fmt": "NCHW"}
    options = {name: value for name, value in options.items() if name in takes}
    try:
        maps = module.forward_intermediates(images, **options)
    except AssertionError:  # no map can be made of what it has
        maps = module.forward_intermediates(images, **{**options, "output_fmt": "NLC"})
    if len(maps) != len(entries) or not all(hasattr(one, "ndim") for one in maps):
        return [], []
    return [averaged(one, "NCHW") for one in maps], [entry["module"] for entry in entries]


def _torchvision(spec, row, names, network):
    """Fill the row in. Returns whether the reference is finite."""
    from torchvision.models.feature_extraction import create_feature_extractor, get_graph_node_names

    module, images = network.module, _images(spec.preprocessing().size)
    _, nodes = get_graph_node_names(module, suppress_diff_warning=True)
    paths = {name: spec.module_of(name) for name in names}
    before = nodes[nodes.index(paths[names[-1]].removeprefix("input of ")) - 1]
    wanted = {path: name for name, path in paths.items() if not path.startswith("input")}
    with torch.no_grad():
        outputs = {**wanted, before: names[-1]}
        expected = create_feature_extractor(module, outputs, suppress_diff_warning=True)(images)
    found = network.features(images, list(names), "avg")
    means = {name: _mean(values, spec.arch) for name, values in expected.items()}
    row.width, row.layers = found[names[-1]].shape[1], len(names) - 1
    row.last = difference(found[names[-1]], means[names[-1]])
    row.layer_error = max(difference(found[name], means[name]) for name in names[:-1])
    if spec.arch.startswith("densenet"):
        row.reason = NORM5
    return bool(means[names[-1]].isfinite().all())


def _mean(values, arch):
    """torchvision's swin has channels last, its ViT a class token."""
    if values.ndim == 3:
        return values[:, 1:].mean(1)
    return averaged(values, "NHWC" if arch.startswith("swin") else "NCHW")


def every():
    """All architectures: of each family the first, then the rest."""
    from offshelf.backbone.torchvision_import import import_torchvision

    import_torchvision()
    import timm
    import torchvision.models
    from timm.models._registry import _model_to_module

    families = {}
    for name in timm.list_models():
        families.setdefault(_model_to_module[name], []).append(("timm", name))
    families["torchvision"] = [
        ("torchvision", name) for name in torchvision.models.list_models(module=torchvision.models)
    ]
    rounds = max(map(len, families.values()))
    return [names[number] for number in range(rounds) for names in families.values() if number < len(names)]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", type=Path)
    parser.add_argument("--again", help="forget rows whose reason contains this text")
    parser.add_argument("--names", nargs="*", help="forget these architectures, and run them alone")
    parser.add_argument("--most", type=float, default=math.inf, help="million parameters")
    parser.add_argument("--shallow", action="store_true", help="with two blocks in each stage")
    parser.add_argument("--seconds", type=float, default=600, help="for one architecture")
    arguments = parser.parse_args()
    rows = _read(arguments.table)
    rows = [row for row in rows if not (arguments.again and arguments.again in row["reason"])]
    rows = [row for row in rows if not (arguments.names and row["architecture"] in arguments.names)]
    _write(arguments.table, rows)
    done = {(row["library"], row["architecture"]) for row in rows}
    for library, name in every():
        if (library, name) in done or (arguments.names and name not in arguments.names):
            continue
        values = _apart(library, name, arguments)
        if values:
            rows = [*_read(arguments.table), dict(zip(FIELDS, values, strict=True))]
            _write(arguments.table, rows)
            print(*values, flush=True)


def _apart(library, name, arguments):
    """Its row, made by a process of its own: a fork, which has torch and timm already."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=lambda: theirs.send(_guarded(library, name, arguments)))
    process.start()
    theirs.close()
    try:
        row = ours.recv() if ours.poll(arguments.seconds) else None
        reason = f"not run: longer than {arguments.seconds:g} s"
    except EOFError:
        row, reason = None, "not run: its process ended"
    process.kill()
    process.join()
    row = row or Row(library, name, reason=reason)
    return None if row.reason == "later" else list(asdict(row).values())


def _guarded(library, name, arguments):
    try:
        if not arguments.shallow:
            return compare(library, name, most=arguments.most)[0]
        with shallow(name):
            row = compare(library, name, most=arguments.most)[0]
        row.reason = f"{SHALLOW}; {row.reason}".removesuffix("; ")
        return row
    except (OverflowError, LookupError):
        return Row(library, name, reason="later")
    except Exception as error:
        if arguments.shallow:  # not every family can be built otherwise than as published
            return Row(library, name, reason="later")
        why = " ".join(f"{type(error).__name__}: {error}".split()).replace('"', "'")
        return Row(library, name, reason=f"not compared: {why[:160]}")


def _read(table):
    if not table.is_file():
        return []
    with table.open(newline="") as file:
        return list(csv.DictReader(file))


def _write(table, rows):
    temporary = table.with_suffix(".new")
    with temporary.open("w", newline="") as file:
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(sorted(rows, key=lambda row: (row["library"], row["architecture"])))
    temporary.replace(table)


if __name__ == "__main__":
    main()
