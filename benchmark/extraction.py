"""Extraction against its limits: the engine, decoding, one layer, one view."""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from machine import interleaved, machine, seconds, table
from PIL import Image as Pillow
from sklearn.datasets import load_sample_images

from offshelf.augmentation import PatchGrid, View, Views, center, jitter16, ten_crop
from offshelf.backbone import Backbone
from offshelf.config import build_group, load
from offshelf.dataset import Image, ImageFile
from offshelf.extractor import Extractor, Request, extract_missing
from offshelf.extractor.allocator import keep_freed_memory
from offshelf.extractor.chunks import Chunk
from offshelf.extractor.engine import Eager, build_engine
from offshelf.extractor.plan import Plan
from offshelf.extractor.proof import relative_distance
from offshelf.extractor.stream import Stream
from offshelf.store import Claim, DiskStore

BATCH = 32


def backbones() -> dict[str, Backbone]:
    """EfficientNet-Lite0 with its weights; ResNet-50, of which only the speed is measured, with random ones."""
    lite0 = build_group(load("layers", []), "backbone")
    resnet50 = build_group(load("layers", ["backbone=resnet50", "backbone.weights=null"]), "backbone")
    return {"EfficientNet-Lite0": lite0, "ResNet-50": resnet50}


def photographs(folder: Path, count: int) -> list[Image]:
    """JPEG files of 500 x 375 pixels, quality 90: seeded crops of scikit-learn's two photographs."""
    random = np.random.default_rng(0)
    whole = [Pillow.fromarray(pixels) for pixels in load_sample_images().images]
    images: list[Image] = []
    for number in range(count):
        picture = whole[number % 2]
        left, top = random.integers(0, 140), random.integers(0, 52)
        crop = picture.crop((left, top, left + 500, top + 375))
        crop.putpixel((number % 500, 0), (number % 256, number // 256, 0))  # no two alike
        path = folder / f"{number}.jpg"
        crop.save(path, quality=90)
        images.append(ImageFile(path))
        _ = images[-1].digest
    return images


def request(backbone: Backbone, layers: Sequence[str] = (), views: tuple[View, ...] = ()) -> Request:
    """The last layer through the plain view, unless said."""
    return Request(backbone, tuple(layers) or backbone.layer_names()[-1:], "auto", views or center().views)


def stream(images: Sequence[Image], asked: Request) -> Stream:
    """Batches as extraction makes them."""
    everything = Chunk(np.arange(len(images)), Claim())
    threads = Extractor().workers or len(os.sched_getaffinity(0))
    return Stream([everything], images, asked.views, asked.backbone.preprocessing(), BATCH, threads)


def plain_eager(asked: Request) -> Callable[[torch.Tensor], dict[str, torch.Tensor]]:
    """PyTorch as most people run it: channels first, float32."""
    eager = Eager(asked)
    eager.network.to(memory_format=torch.contiguous_format)

    def run(pixels: torch.Tensor) -> dict[str, torch.Tensor]:
        images = (pixels.permute(0, 3, 1, 2).float() / 255 - eager.mean) / eager.std
        with torch.inference_mode():
            return dict(eager.network.features(images.contiguous(), asked.layers, asked.pooling))

    return run


ENGINES = (
    "plain eager, float32",
    *(f"{e}, {p}" for p in ("float32", "bfloat16") for e in ("eager", "compile", "openvino")),
)


def engines(rounds: int, names: Sequence[str]) -> None:
    """Images a second of each engine on a decoded batch of photographs, each in a process of its own, in turn."""
    for name in names:
        seen: dict[str, list[dict[str, float]]] = {label: [] for label in ENGINES}
        for _ in range(rounds):
            for label in ENGINES:
                command = [sys.executable, __file__, "engine", "--network", name, "--engine", label]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                seen[label].append(json.loads(done.stdout.splitlines()[-1]))
        print(f"{name}, last layer, batches of {BATCH}")
        rates = {label: statistics.median(each["rate"] for each in found) for label, found in seen.items()}
        rows = [
            [label, f"{rate:.1f}", f"{rate / rates[ENGINES[0]]:.2f}", f"{seen[label][0]['distance']:.1e}"]
            for label, rate in rates.items()
        ]
        table(["engine", "images/s", "x plain eager", "relative distance"], rows)


def one_engine(name: str, label: str) -> None:
    """One engine's rate, and its distance from PyTorch as it is."""
    asked = request(backbones()[name])
    engine, precision = label.split(", ")
    with tempfile.TemporaryDirectory() as folder:
        pixels = next(iter(stream(photographs(Path(folder), BATCH), asked))).pixels
    plain = plain_eager(asked)
    expected = plain(pixels)
    if engine == "plain eager":
        run = plain
    else:
        keep_freed_memory()
        run = build_engine(Plan("cpu", precision, engine, ""), Eager(asked), pixels)
    casts = engine == "eager" and precision == "bfloat16"
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=casts):
        found = run(pixels)
        run(pixels)
        rate = BATCH / statistics.median(seconds(lambda: run(pixels)) for _ in range(7))
    distance = max(relative_distance(found[layer], expected[layer]) for layer in expected)
    print(json.dumps({"rate": rate, "distance": distance}))


def files(rounds: int) -> None:
    """JPEG files to features in the store, steady state, against the slower of its two halves."""
    for (name, backbone), count in zip(backbones().items(), (512, 128), strict=True):
        asked = request(backbone)
        with tempfile.TemporaryDirectory() as folder:
            images = photographs(Path(folder), 2 * count)
            batches = [batch.pixels for batch in stream(images[:count], asked)]
            engine = build_engine(Plan("cpu", "float32", "openvino", ""), Eager(asked), batches[0])

            def end_to_end(some: Sequence[Image], asked: Request = asked) -> Callable[[], object]:
                def run() -> None:
                    with tempfile.TemporaryDirectory() as store:
                        extract_missing(DiskStore(Path(store)), Extractor(device="cpu", engine="openvino"), some, asked)

                return run

            times = interleaved(
                {
                    "decode": lambda: sum(len(batch.rows) for batch in stream(images[:count], asked)),
                    "forward": lambda: [engine(pixels) for pixels in batches],
                    "half": end_to_end(images[:count]),
                    "whole": end_to_end(images),
                },
                rounds,
            )
        decode, forward = count / times["decode"], count / times["forward"]
        rate = count / (times["whole"] - times["half"])  # what is prepared once cancels
        bound, shared = min(decode, forward), 1 / (1 / decode + 1 / forward)
        print(f"{name}: JPEG files of 500 x 375 to features on disk")
        table(
            ["decode + view", "engine", "end to end", "x the slower half", "x both on the same cores"],
            [[f"{decode:.0f}/s", f"{forward:.1f}/s", f"{rate:.1f}/s", f"{rate / bound:.2f}", f"{rate / shared:.2f}"]],
        )


def layers(rounds: int) -> None:
    """All layers in one pass, against the last."""
    with tempfile.TemporaryDirectory() as folder:
        images = photographs(Path(folder), BATCH)
        rows = []
        for name, backbone in backbones().items():
            pixels = next(iter(stream(images, request(backbone)))).pixels
            for engine in ("openvino", "eager"):
                runs = {
                    label: build_engine(Plan("cpu", "float32", engine, ""), Eager(request(backbone, names)), pixels)
                    for label, names in (("last", backbone.layer_names()[-1:]), ("all", backbone.layer_names()))
                }
                with torch.inference_mode():
                    times = interleaved({label: lambda run=run: run(pixels) for label, run in runs.items()}, rounds)
                count = str(len(backbone.layer_names()))
                rates = [f"{BATCH / times[label]:.1f}" for label in ("last", "all")]
                rows.append([name, engine, count, *rates, f"{times['all'] / times['last']:.2f}"])
        table(["network", "engine", "layers", "last alone, images/s", "all", "time, all / last"], rows)


def views(rounds: int) -> None:
    """Sixteen views of each image, crops alone or the paper's, or 30 patches, against one: files to features."""
    backbone = backbones()["EfficientNet-Lite0"]
    lists = {
        "one": center(),
        "crops": Views((ten_crop(0.8).views + ten_crop(2 / 3).views)[:16]),
        "jitter16": jitter16(),
        "patch_grid": PatchGrid(),
    }
    with tempfile.TemporaryDirectory() as folder:
        images = photographs(Path(folder), 1024)

        def end_to_end(count: int, seen: tuple[View, ...]) -> Callable[[], object]:
            def run() -> None:
                with tempfile.TemporaryDirectory() as store:
                    extractor = Extractor(device="cpu", engine="openvino", chunk=64)
                    extract_missing(DiskStore(Path(store)), extractor, images[:count], request(backbone, views=seen))

            return run

        cases = {
            f"{total} of {name}": end_to_end(total // len(each.views), each.views)
            for name, each in lists.items()
            for total in (512, 1024)
        }
        times = interleaved(cases, rounds)
    rates = {
        name: (1024 // len(each.views) - 512 // len(each.views))
        * len(each.views)
        / (times[f"1024 of {name}"] - times[f"512 of {name}"])
        for name, each in lists.items()
    }
    rows = [[name, f"{rate:.1f}", f"{rate / rates['one']:.2f}"] for name, rate in rates.items()]
    table(["views", "views/s", "x one view"], rows)


def gpu(rounds: int) -> None:
    """A GPU's end-to-end rate from JPEG files, decoding alone, and its raw forward rate on resident batches."""
    if not torch.cuda.is_available():
        raise SystemExit("This needs a CUDA device.")
    batch, device = 128, torch.device("cuda")
    networks = {
        "ResNet-50": ["backbone=resnet50"],
        "ViT-B/16": ["backbone=vit_b_16"],
        "DINOv2 ViT-L/14": ["backbone=timm", "backbone.arch=vit_large_patch14_dinov2", "backbone.img_size=224"],
    }
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        images = photographs(Path(folder), 8192)
        for name, overrides in networks.items():
            asked = request(build_group(load("layers", [*overrides, "backbone.weights=null"]), "backbone"))
            eager = Eager(asked).to(device)
            pixels = torch.randint(0, 256, (batch, *[asked.backbone.preprocessing().crop] * 2, 3), dtype=torch.uint8)
            resident = pixels.to(device)

            def forward(eager: Eager = eager, resident: torch.Tensor = resident) -> None:
                with torch.inference_mode(), torch.autocast("cuda", torch.bfloat16):
                    for _ in range(20):
                        eager(resident)
                torch.cuda.synchronize()

            def end_to_end(some: Sequence[Image], asked: Request = asked) -> Callable[[], object]:
                def run() -> None:
                    with tempfile.TemporaryDirectory() as store:
                        extractor = Extractor(device="cuda", precision="bfloat16", batch_size=batch, chunk=1024)
                        extract_missing(DiskStore(Path(store)), extractor, some, asked)

                return run

            forward()
            works = {"forward": forward, "half": end_to_end(images[:4096]), "whole": end_to_end(images)}
            times = interleaved(works, rounds)
            with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
                decode = 4096 / seconds(lambda: [*pool.map(lambda image: image.load().shape, images[:4096])])
            raw, rate = 20 * batch / times["forward"], 4096 / (times["whole"] - times["half"])
            cells = [f"{decode:.0f}", f"{raw:.0f}", f"{rate:.0f}", f"{rate / min(decode, raw):.2f}"]
            rows.append([name, *cells, f"{rate / raw:.2f}"])
    table(["network, bf16", "decode, images/s", "forward", "end to end", "x the slower", "x forward"], rows)


def main() -> None:
    """Run what was asked for."""
    works = {"files": files, "layers": layers, "views": views, "gpu": gpu}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("engines", *works, "engine"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--network", nargs="+", default=list(backbones()), help="for engines")
    parser.add_argument("--engine", default=ENGINES[0], help="for engine: one of them alone")
    options = parser.parse_args()
    if options.what == "engine":
        return one_engine(options.network[0], options.engine)
    print(machine(), "\n")
    if options.what == "engines":
        return engines(options.rounds, options.network)
    keep_freed_memory()
    return works[options.what](options.rounds)


if __name__ == "__main__":
    main()
