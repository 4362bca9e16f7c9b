"""Miniatures of the six data sets of Razavian et al. 2014 that are classified."""

from miniature import archive, miniature, picture, text

VOC_CLASSES = (
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable", "dog"),
    *("horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor"),
)
VOC_OBJECTS = {
    # id: (class, difficult) of each object
    "000001": [("cat", 0), ("person", 1)],
    "000002": [("dog", 0), ("dog", 1)],
    "000003": [("person", 0)],
    "000005": [("cat", 1), ("cat", 1)],
    "000007": [("cat", 0), ("dog", 0)],
    "000009": [(name, 0) for name in VOC_CLASSES if name not in ("cat", "dog")],
    "000004": [("cat", 0), ("person", 0)],
    "000006": [("dog", 1)],
    "000008": [(name, 0) for name in VOC_CLASSES if name != "cat"],
    "000010": [],
}
VOC_PARTS = {
    "train": ["000001", "000003", "000009"],
    "val": ["000002", "000005", "000007"],
    "trainval": ["000001", "000002", "000003", "000005", "000007", "000009"],
    "test": ["000004", "000006", "000008", "000010"],
}


def voc_xml(objects):
    """An annotation file."""
    listed = "".join(
        f"<object><name>{name}</name><difficult>{hard}</difficult><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>9</xmax>"
        "<ymax>9</ymax></bndbox></object>"
        for name, hard in objects
    )
    return f"<annotation>{listed}</annotation>"


@miniature("voc2007")
def voc2007(folder):
    """Both tars unpack into one tree; two spaces before a 1."""
    tars = {"VOCtrainval_06-Nov-2007.tar": ("train", "val", "trainval"), "VOCtest_06-Nov-2007.tar": ("test",)}
    for name, parts in tars.items():
        members = {}
        for part in parts:
            ids = VOC_PARTS[part]
            members[f"ImageSets/Main/{part}.txt"] = text(ids)
            for label in VOC_CLASSES:
                rows = []
                for image in ids:
                    hard = [difficult for found, difficult in VOC_OBJECTS[image] if found == label]
                    value = -1 if not hard else 1 if 0 in hard else 0
                    rows.append(f"{image} {value:2d}")
                members[f"ImageSets/Main/{label}_{part}.txt"] = text(rows)
            for image in ids:
                members[f"JPEGImages/{image}.jpg"] = picture(int(image), len(VOC_OBJECTS[image]))
                members[f"Annotations/{image}.xml"] = voc_xml(VOC_OBJECTS[image])
        archive(folder / name, {f"VOCdevkit/VOC2007/{path}": data for path, data in members.items()})


@miniature("mit67")
def mit67(folder):
    """Names with spaces and apostrophes, a GIF and a PNG named .jpg, images in neither list, no newline at the end."""
    images = {
        "airport_inside/a 1.jpg": picture(1, 0),
        "airport_inside/a'2.jpg": picture(2, 0),
        "airport_inside/a_3.jpg": picture(3, 0),
        "buffet/Buffet_Set_Up_gif.jpg": picture(4, 1, "P", "GIF"),
        "buffet/b_2.jpg": picture(5, 1, "L"),
        "buffet/b_3.jpg": picture(6, 1, "RGBA", "PNG"),
        "winecellar/w_1.jpg": picture(7, 2),
        "winecellar/w_2.jpg": picture(8, 2, "CMYK"),
        "winecellar/w_3.jpg": picture(9, 2),
        "winecellar/in no list.jpg": picture(10, 2),
    }
    archive(folder / "indoorCVPR_09.tar", {f"Images/{name}": data for name, data in images.items()})
    train = ["airport_inside/a 1.jpg", "airport_inside/a'2.jpg", "buffet/Buffet_Set_Up_gif.jpg", "buffet/b_2.jpg"]
    (folder / "TrainImages.txt").write_text("\r\n".join([*train, "winecellar/w_1.jpg", "winecellar/w_2.jpg"]))
    (folder / "TestImages.txt").write_text(text(["airport_inside/a_3.jpg", "buffet/b_3.jpg", "winecellar/w_3.jpg"]))


@miniature("cub200")
def cub200(folder):
    """Lists in different orders, a greyscale image, a box beyond its image, a file outside of the tree."""
    names = ["001.Black_footed_Albatross", "002.Laysan_Albatross", "200.Common_Yellowthroat"]
    rows = [(3 * label + index + 1, label, index) for label in range(3) for index in range(3)]
    paths = {number: f"{names[label]}/Bird_{number:04d}.jpg" for number, label, _ in rows}
    members = {
        "attributes.txt": "1 has_bill_shape::curved\n",
        "CUB_200_2011/README": "About.\n",
        "CUB_200_2011/classes.txt": text(f"{label + 1} {name}" for label, name in enumerate(names)),
        "CUB_200_2011/images.txt": text(f"{number} {path}" for number, path in paths.items()),
        "CUB_200_2011/image_class_labels.txt": text(f"{number} {label + 1}" for number, label, _ in reversed(rows)),
        "CUB_200_2011/train_test_split.txt": text(f"{number} {int(index < 2)}" for number, _, index in rows),
        "CUB_200_2011/bounding_boxes.txt": text(
            f"{number} {'12.0 3.0 10.0 9.0' if number == 2 else '4.0 2.0 10.0 8.0'}" for number, _, _ in rows
        ),
    }
    for number, label, _ in rows:
        image = picture(number, label, "L" if number == 4 else "RGB")
        members[f"CUB_200_2011/images/{paths[number]}"] = image
    archive(folder / "CUB_200_2011.tgz", members)


@miniature("h3d")
def h3d(folder):
    """Image names that restart in test, boxes of NaN in train and beyond the image, all attributes unspecified."""
    train = [
        "00001.jpg 5.39 3.39 10.0 8.0  -1  0 -1  1 -1  1  1 -1 -1",
        "00002.jpg NaN NaN NaN NaN      1 -1  1 -1  1 -1 -1  1  1",
        "00003.jpg -4.0 -2.5 12.0 40.0  1  1  0  0  1  1  0 -1  1",
        "00004.jpg 2.0 2.0 9.0 9.0      0  0  0  0  0  0  0  0  0",
        "00005.jpg 2.0 2.0 9.0 9.0     -1 -1  1 -1 -1 -1 -1  1 -1",
        "00006.jpg 2.0 2.0 9.0 9.0      1  1 -1  1  1  1  1  1  1",
    ]
    test = [
        "00001.jpg 4.0 4.0 8.0 8.0     -1  1 -1  1 -1  1  1 -1 -1",
        "00002.jpg 4.0 4.0 8.0 8.0      1 -1  1 -1  1 -1 -1  1  1",
        "00003.jpg 4.0 4.0 8.0 8.0      0  1  0 -1  0  1 -1  0 -1",
    ]
    members = {}
    for part, rows, seed in (("train", train, 0), ("test", test, 100)):
        members[f"attributes_dataset/{part}/labels.txt"] = text(rows)
        members[f"attributes_dataset/{part}/other_bounds.txt"] = "00001.jpg -9.0 1.0 30.0 4.0\n"
        for index, row in enumerate(rows):
            members[f"attributes_dataset/{part}/{row[:9]}"] = picture(seed + index, index)
    archive(folder / "attributes_dataset.tgz", members)


UIUC_NAMES = ["2D Boxy", "Foot/Shoe", "Stem/Trunk", *(f"Attribute {number}" for number in range(4, 65))]


@miniature("uiuc_attributes")
def uiuc_attributes(folder):
    """Several objects an image, an object without attributes, a box without area, a greyscale a-Yahoo image."""
    every, none = " ".join(["1"] * 64), " ".join(["0"] * 64)
    half = " ".join(["1", "0"] * 32)
    tables = {
        "apascal_train.txt": [
            f"2008_000008.jpg horse 2 2 9 9 {every}",
            f"2008_000008.jpg person 10 1 20 16 {none}",
            f"2008_000015.jpg bottle 1 1 5 5 {half}",
            f"2008_000019.jpg dog 1 1 20 16 {none}",
        ],
        "apascal_test.txt": [f"2008_000002.jpg tvmonitor 2 2 9 9 {every}", f"2008_000003.jpg train 2 2 9 9 {none}"],
        "ayahoo_test.txt": [
            f"donkey_1.jpg donkey 3 3 12 10 {half}",
            f"mug_2.jpg mug 7 7 7 6 {none}",
            f"mug 3.jpg mug 7 7 7 7 {every}",
        ],
    }
    members = {f"attribute_data/{name}": text(rows) for name, rows in tables.items()}
    members["attribute_data/attribute_names.txt"] = text(UIUC_NAMES)
    members["attribute_data/class_names.txt"] = text(["horse", "person"])
    archive(folder / "attribute_data.tar.gz", members)
    images = ["2008_000008", "2008_000015", "2008_000019", "2008_000002", "2008_000003", "2008_000001"]
    trees = {f"VOCdevkit/VOC2008/JPEGImages/{name}.jpg": picture(index, index) for index, name in enumerate(images)}
    archive(folder / "VOCtrainval_14-Jul-2008.tar", trees)
    yahoo = {"donkey_1.jpg": "RGB", "mug_2.jpg": "L", "mug 3.jpg": "RGB"}
    pictures = {f"ayahoo_test_images/{name}": picture(7, 3, mode) for name, mode in yahoo.items()}
    archive(folder / "ayahoo_test_images.tar.gz", pictures)
