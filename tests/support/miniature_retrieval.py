"""Miniatures of the retrieval sets: the five of Razavian et al. 2014, and the revisited two."""

import pickle

import numpy as np
from miniature import archive, miniature, picture, text

OXFORD = [
    *("all_souls_000001", "all_souls_000013", "all_souls_000026", "ashmolean_000000", "ashmolean_000007"),
    *("bodleian_000108", "oxford_000317", "radcliffe_camera_000031"),
]
OXFORD_TRUTH = {
    # query: its image, box, good, ok and junk images
    "all_souls_1": (
        "all_souls_000013",
        (3.5, 2.4, 12.6, 11.5),
        ["all_souls_000013", "all_souls_000026"],
        ["all_souls_000001"],
        ["oxford_000317"],
    ),
    "ashmolean_1": ("ashmolean_000007", (2.0, 0.0, 14.0, 6.0), ["ashmolean_000007"], ["ashmolean_000000"], []),
}
PARIS = [
    *("paris_defense_000000", "paris_defense_000605", "paris_general_000005"),
    *("paris_louvre_000136", "paris_triomphe_000001", "paris_triomphe_000662", "paris_triomphe_000863"),
]
PARIS_TRUTH = {
    "defense_1": (
        "paris_general_000005",
        (1.0, 1.0, 9.0, 9.0),
        ["paris_defense_000000", "paris_general_000005"],
        ["paris_defense_000605"],
        [],
    ),
    # Of its five images one is a corrupt good one, one a corrupt ok one, and one corrupt junk.
    "triomphe_1": (
        "paris_triomphe_000001",
        (0.0, 0.0, 20.0, 16.0),
        ["paris_triomphe_000001", "paris_triomphe_000662"],
        ["paris_defense_000000", "paris_triomphe_000863"],
        ["paris_louvre_000136"],
    ),
}


def lists(truth, prefix=""):
    """The text files."""
    members = {}
    for query, (image, box, *labelled) in truth.items():
        members[f"{query}_query.txt"] = f"{prefix}{image} {' '.join(map(str, box))}\n"
        for label, names in zip(("good", "ok", "junk"), labelled, strict=True):
            members[f"{query}_{label}.txt"] = text(names)
    return members


def classic_gnd(images, truth):
    """The content of gnd_oxford5k.pkl: good and ok are one list."""
    entries = [
        {"bbx": list(box), "ok": [images.index(name) for name in good + ok], "junk": [images.index(n) for n in junk]}
        for _, box, good, ok, junk in truth.values()
    ]
    return {"imlist": images, "qimlist": [image for image, *_ in truth.values()], "gnd": entries}


def revisited_gnd(images):
    """The content of gnd_roxford5k.pkl: two queries that are taken out of the references; one has no easy ones."""
    queries, rest = [images[1], images[4]], [*images[:1], *images[2:4], *images[5:]]
    return {
        "imlist": rest,
        "qimlist": queries,
        "gnd": [
            {"bbx": [3.5, 2.4, 12.6, 11.5], "easy": [0], "hard": np.array([2, 1]), "junk": np.array([3], np.int32)},
            {"bbx": np.array([2.0, 0.0, 14.0, 6.0]), "easy": [], "hard": [2], "junk": []},
        ],
    }


def jpegs(names, folder=""):
    """Members of an archive of images."""
    return {f"{folder}{name}.jpg": picture(seed, seed) for seed, name in enumerate(names)}


@miniature("oxford5k")
def oxford5k(folder):
    """Flat archives."""
    archive(folder / "oxbuild_images-v1.tgz", jpegs(OXFORD))
    archive(folder / "gt_files_170407.tgz", lists(OXFORD_TRUTH, "oxc1_"))


@miniature("roxford5k")
def roxford5k(folder):
    """Oxford5k's images, and a pickle."""
    archive(folder / "oxbuild_images-v1.tgz", jpegs(OXFORD))
    (folder / "gnd_roxford5k.pkl").write_bytes(pickle.dumps(revisited_gnd(OXFORD), 2))


def paris_images(folder):
    """A tree in two parts; two corrupt files are broken, the third can be read."""
    members = {}
    for name, data in jpegs(PARIS).items():
        broken = name.split(".")[0] in ("paris_louvre_000136", "paris_triomphe_000662")
        members[f"paris/{name.split('_')[1]}/{name}"] = data[: len(data) // 2] if broken else data
    names = list(members)
    archive(folder / "paris_1-v1.tgz", {name: members[name] for name in names[:3]})
    archive(folder / "paris_2-v1.tgz", {name: members[name] for name in names[3:]})


@miniature("paris6k")
def paris6k(folder):
    """Queries' images have no prefix."""
    paris_images(folder)
    archive(folder / "paris_120310.tgz", lists(PARIS_TRUTH))


@miniature("rparis6k")
def rparis6k(folder):
    """Paris6k's images, and a pickle that names no corrupt one."""
    paris_images(folder)
    images = [name for name in PARIS if name not in ("paris_louvre_000136", "paris_triomphe_000662")]
    gnd = revisited_gnd(images)
    gnd["gnd"][0] |= {"hard": [2, 1], "junk": []}
    (folder / "gnd_rparis6k.pkl").write_bytes(pickle.dumps(gnd, 2))


@miniature("sculptures6k")
def sculptures6k(folder):
    """Names with and without suffixes, a region that is none, empty lists, masks beside the images."""
    test = [
        "Henry_Moore_Arch_Leg_0000",
        "Henry_Moore_Arch_Leg_0001",
        "Henry_Moore_Knife_Edge_0000",
        "Rodin_Stanford_0250",
    ]
    train = ["Henry_Moore_Bone_0000", "Henry_Moore_Bone_0001"]
    rows = [
        "3 queries",
        *(f"{test[0]}.jpg", "2 1 12 13", f"{test[0]}.jpg {test[1]}.jpg", f"{test[3]}.jpg"),
        *(test[1], "polygon", f"{test[0]} {test[2]}", ""),
        *(train[0], "1 1 5 5", f"{train[0]} {train[1]}", ""),
    ]
    members = jpegs(test, "test/") | jpegs(train, "train/")
    members |= {f"masks/{name}.png": picture(1, 1, "L", "PNG") for name in test}
    members["sculptures6k_evaluation/sculptures6k_gt.txt"] = "\n".join(rows)
    archive(folder / "sculptures6k.zip", members)


@miniature("holidays")
def holidays(folder):
    """Two archives of one tree; a scene of three, one of two, one of a single photo; and the upright copy."""
    names = ["100000", "100001", "100002", "100100", "100101", "100200"]
    archive(folder / "jpg1.tar.gz", jpegs(names[:4], "jpg/"))
    archive(folder / "jpg2.tar.gz", jpegs(names[4:], "jpg/"))
    archive(folder / "holidays_rotated.tar.gz", jpegs(names, "holidays/"))


@miniature("ukbench")
def ukbench(folder):
    """Three objects, in no order, with thumbnails."""
    order = [5, 0, 11, 2, 7, 1, 10, 3, 4, 9, 8, 6]
    members = {f"full/ukbench{number:05d}.jpg": picture(number, number // 4) for number in order}
    archive(folder / "ukbench.zip", members | {f"thumbnails/ukbench{number:05d}.jpg": b"" for number in order})
