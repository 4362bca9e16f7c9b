"""Pictures that look like photographs: objects before a background of smooth noise, with light, blur and grain."""

import io

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

SIZE = (160, 120)
CLASSES = ("ball", "boat", "flower", "house", "tree", "wheel")


def photograph(kind, number, size=SIZE):
    """A picture of a class: another one for each number."""
    rng = np.random.default_rng([CLASSES.index(kind), number])
    width, height = size
    picture = background(rng, size)
    drawing = ImageDraw.Draw(picture)
    reach = rng.uniform(0.26, 0.36) * height
    x, y = rng.uniform(reach, width - reach), rng.uniform(reach, height - reach)
    colour = lambda *base: tuple(int(np.clip(one + rng.normal(0, 18), 0, 255)) for one in base)  # noqa: E731
    DRAWN[kind](drawing, x, y, reach, colour, rng)
    pixels = np.asarray(picture.filter(ImageFilter.GaussianBlur(0.6)), np.float32)
    pixels = pixels * rng.uniform(0.85, 1.1) + rng.normal(0, 4, pixels.shape)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def background(rng, size):
    """Smooth noise of two colours, as of a meadow out of focus."""
    small = rng.uniform(0, 1, (5, 7))
    noise = np.asarray(Image.fromarray((255 * small).astype(np.uint8)).resize(size, Image.Resampling.BICUBIC)) / 255
    one, other = rng.uniform(70, 200, 3), rng.uniform(70, 200, 3)
    return Image.fromarray((one + (other - one) * noise[..., None]).clip(0, 255).astype(np.uint8))


def ball(drawing, x, y, reach, colour, rng):
    drawing.ellipse((x - reach, y - reach, x + reach, y + reach), colour(230, 120, 30), colour(60, 40, 20), 3)
    drawing.arc((x - reach, y - reach / 2, x + reach, y + reach / 2), 0, 360, (40, 30, 20), 3)
    drawing.line((x, y - reach, x, y + reach), (40, 30, 20), 3)


def boat(drawing, x, y, reach, colour, rng):
    hull = [
        (x - reach, y + reach / 3),
        (x + reach, y + reach / 3),
        (x + reach / 2, y + reach),
        (x - reach / 2, y + reach),
    ]
    drawing.polygon(hull, colour(120, 60, 30))
    drawing.polygon([(x, y - reach), (x, y + reach / 5), (x + reach, y + reach / 5)], colour(240, 240, 235))
    drawing.line((x, y - reach, x, y + reach / 3), (50, 40, 30), 3)


def flower(drawing, x, y, reach, colour, rng):
    petals, tint = int(rng.integers(5, 9)), colour(230, 60, 140)
    for turn in np.arange(petals) * 2 * np.pi / petals:
        at, far, side = (x + reach * 0.6 * np.cos(turn), y + reach * 0.6 * np.sin(turn)), reach * 0.36, reach * 0.36
        drawing.ellipse((at[0] - far, at[1] - side, at[0] + far, at[1] + side), tint)
    drawing.ellipse((x - reach / 4, y - reach / 4, x + reach / 4, y + reach / 4), colour(250, 210, 40))


def house(drawing, x, y, reach, colour, rng):
    drawing.rectangle((x - reach * 0.8, y - reach * 0.1, x + reach * 0.8, y + reach), colour(220, 200, 170))
    drawing.polygon([(x - reach, y - reach * 0.1), (x + reach, y - reach * 0.1), (x, y - reach)], colour(160, 50, 40))
    drawing.rectangle((x - reach * 0.15, y + reach * 0.4, x + reach * 0.2, y + reach), colour(90, 60, 40))
    drawing.rectangle((x - reach * 0.6, y + reach * 0.2, x - reach * 0.3, y + reach * 0.5), colour(120, 170, 220))


def tree(drawing, x, y, reach, colour, rng):
    drawing.rectangle((x - reach * 0.15, y, x + reach * 0.15, y + reach), colour(100, 70, 40))
    for _ in range(14):
        at = x + rng.normal(0, reach * 0.33), y - reach * 0.35 + rng.normal(0, reach * 0.25)
        size = reach * rng.uniform(0.2, 0.35)
        drawing.ellipse((at[0] - size, at[1] - size, at[0] + size, at[1] + size), colour(40, 120, 40))


def wheel(drawing, x, y, reach, colour, rng):
    drawing.ellipse((x - reach, y - reach, x + reach, y + reach), None, colour(40, 40, 45), 7)
    for turn in rng.uniform(0, 1) + np.arange(8) * np.pi / 4:
        drawing.line((x, y, x + reach * 0.95 * np.cos(turn), y + reach * 0.95 * np.sin(turn)), colour(170, 170, 175), 3)
    drawing.ellipse((x - 5, y - 5, x + 5, y + 5), colour(60, 60, 60))


DRAWN = {"ball": ball, "boat": boat, "flower": flower, "house": house, "tree": tree, "wheel": wheel}


def jpeg(picture, quality=90):
    """The bytes of a JPEG file."""
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return file.getvalue()


def write_folder(root, train=20, test=8):
    """Class folders below `train` and `test`. Returns the paths below the root."""
    made = []
    for kind in CLASSES:
        for number in range(train + test):
            path = root / ("train" if number < train else "test") / kind / f"{number:03d}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(jpeg(photograph(kind, number)))
            made.append(path)
    return made


def plant(root, seed):
    """Three wrong labels, two copies and a leak, by seed. Returns where they are: ids as a data set has them."""
    rng = np.random.default_rng(seed)
    files = {part: sorted((root / part).rglob("*.jpg")) for part in ("train", "test")}
    every = [*files["train"], *files["test"]]
    rng.shuffle(every)
    taken = iter(every)
    wrong = []
    for _ in range(3):
        path = next(taken)
        other = rng.choice([kind for kind in CLASSES if kind != path.parent.name])
        moved = path.parents[1] / other / f"from-{path.parent.name}-{path.name}"
        path.rename(moved)
        wrong.append((moved.relative_to(root).as_posix(), path.parent.name))
    trained = iter([path for path in every if path.is_file() and "train" in path.parts[len(root.parts) :]][:3])
    one, other, leaked = trained
    copies = []
    smaller = Image.open(one).resize((128, 96), Image.Resampling.LANCZOS)
    for path, data in ((one, jpeg(smaller)), (other, jpeg(Image.open(other), 60))):
        made = path.with_name(f"copy-of-{path.name}")
        made.write_bytes(data)
        copies.append((path.relative_to(root).as_posix(), made.relative_to(root).as_posix()))
    leak = root / "test" / leaked.parent.name / f"leak-of-{leaked.name}"
    leak.write_bytes(jpeg(Image.open(leaked), 75))
    return wrong, copies, (leak.relative_to(root).as_posix(), leaked.relative_to(root).as_posix())
