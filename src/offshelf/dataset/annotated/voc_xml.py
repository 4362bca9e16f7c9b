"""PASCAL VOC's XML: a file with the boxes of each image, as LabelImg and others write it too."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath
from xml.etree.ElementTree import Element, TreeBuilder  # builds nodes; text is parsed by expat below
from xml.parsers import expat

from typing_extensions import override

from offshelf.dataset.annotated.coco import NO_BOX
from offshelf.dataset.annotated.file_tree import FileTree, file_tree
from offshelf.dataset.annotated.objects import Annotations, Found, Objects, Size
from offshelf.dataset.box_geometry import from_matlab
from offshelf.dataset.image import PixelBox
from offshelf.dataset.kind import SUFFIXES
from offshelf.dataset.remote.file import Place, place
from offshelf.errors import ConfigError, DatasetError
from offshelf.names import listed

DIFFICULT = "marked as difficult (dataset.difficult)"
FOLDERS = ("JPEGImages", "images", "Images", "imgs", "img")
LISTS = ("train", "val", "trainval", "test")


@dataclass(frozen=True, kw_only=True)
class VocXml(Objects):
    """The objects of all XML files below a folder; with ImageSets/Main/{train,val,test}.txt these are the split.

    Coordinates start at 1 and include the last pixel, as in VOC, unless one of the set is 0.
    """

    root: str
    """Folder with Annotations/ and JPEGImages/, or with XML files beside the images."""
    difficult: bool = False
    """Whether to take objects that are marked as difficult, which VOC does not count."""
    val: str | None = None
    """Use of the list val: `train`, `test`, `ignore`; None: `test` if there is no list test, else `train`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.val not in (None, "train", "test", "ignore"):
            raise ConfigError(f"dataset.val must be train, test, ignore, or null; got '{self.val}'.")

    @override
    def at_path(self, path: str) -> "VocXml":
        return replace(self, root=path, test=None, shots=None, fractions=None, draws=1)

    @override
    def annotations(self) -> Annotations:
        tree = file_tree(place(self.root))
        root = tree.root
        if not tree.is_folder(root):
            raise DatasetError(f"dataset.root={self.root} is not a folder. Expected: a folder with XML files of boxes.")
        files = sorted(tree.below(root, lambda name: name.endswith(".xml")))
        if not files:
            raise DatasetError(f"{root} has no XML files of boxes (Annotations/*.xml).")
        parts, notes = self._split_lists(tree, {file.stem for file in files})
        objects: list[Found] = []
        stated: dict[Place, Size] = {}
        files = [file for file in files if not parts or file.stem in parts]
        for file, text in zip(files, tree.read_all(files), strict=True):
            content = parsed_xml(text, file)
            image = _image(tree, file, content)
            size = _size(content)
            if size:
                stated[tree.place(image)] = size
            objects += self._objects(file, content, image, parts.get(file.stem, ""), tree)
        is_from_0 = any(min(one.box[:2]) < 1 for one in objects if one.box[0] == one.box[0])
        notes += ["A box starts at 0, so all are counted from 0."] if is_from_0 else []
        objects = objects if is_from_0 else [replace(one, box=from_matlab(*one.box)) for one in objects]
        classes = sorted({one.label for one in objects})
        return Annotations(root.name, objects, classes, stated, notes, "pixels")

    def _objects(self, file: PurePath, content: Element, image: PurePath, part: str, tree: FileTree) -> Iterator[Found]:
        shown = image.relative_to(tree.root).as_posix() if image.is_relative_to(tree.root) else image.name
        where = tree.place(image)
        for number, node in enumerate(content.findall("object"), 1):
            label = (node.findtext("name") or "").strip()
            if not label:
                raise DatasetError(f"{file}: object {number} has no name.")
            is_left = (node.findtext("difficult") or "0").strip() == "1" and not self.difficult
            yield Found(f"{shown}#{number}", where, _box(file, number, node), label, part, DIFFICULT if is_left else "")

    def _split_lists(self, tree: FileTree, stems: set[str]) -> tuple[dict[str, str], list[str]]:
        """Return the part of each image by the lists of the set, empty without lists, and remarks."""
        folder = tree.root / "ImageSets" / "Main"
        files = {name: folder / f"{name}.txt" for name in LISTS}
        lists = {name: _lines(tree.read_text(file)) for name, file in files.items() if tree.is_file(file)}
        trained = lists.get("train") or lists.get("trainval", [])
        if not trained or not ({"val", "test"} & lists.keys()):
            return {}, []
        use = self.val or ("train" if "test" in lists else "test")
        parts = dict.fromkeys(trained, "train")
        if use != "ignore":
            parts |= dict.fromkeys(lists.get("val", []), use)
        if not (use == "test" and "val" in lists):
            parts |= dict.fromkeys(lists.get("test", []), "test")
        missing = sorted(set(parts) - stems)
        if len(missing) == len(parts):
            raise DatasetError(f"None of the images that {folder} lists has an XML file: {listed(missing)}.")
        notes = [f"{len(missing):,} image(s) of the lists have no XML file: {listed(missing)}."] if missing else []
        return parts, notes + ([f"The list val is used to {use} (dataset.val)."] if "val" in lists else [])


def parsed_xml(content: bytes, file: PurePath) -> Element:
    """Parse an XML file without document types, so that no entity is ever defined or fetched.

    Raises:
        DatasetError: It is not XML, or declares a document type.
    """
    builder, parser = TreeBuilder(), expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = builder.start, builder.end
    parser.CharacterDataHandler = builder.data

    def refuse(*_: object) -> None:
        raise DatasetError(f"{file} declares a document type (DOCTYPE), which is not read; remove it.")

    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(content, True)
        return builder.close()
    except (expat.ExpatError, AssertionError, UnicodeError, ValueError) as error:
        raise DatasetError(f"{file} is not XML, or is cut off: {error}.") from error


def _image(tree: FileTree, file: PurePath, content: Element) -> PurePath:
    """Return the image of an XML file: by the name in it, or its own, beside it or in a folder of images."""
    said = (content.findtext("filename") or "").strip().replace("\\", "/").split("/")[-1]
    near = [file.parent, *(above / name for above in (file.parent.parent, tree.root) for name in FOLDERS)]
    names = [said] if said else []
    names += [file.stem + suffix for suffix in (*SUFFIXES, *(suffix.upper() for suffix in SUFFIXES))]
    for name in names:
        for folder in near:
            if tree.is_file(folder / name):
                return folder / name
    return near[1] / (said or f"{file.stem}.jpg")


def _size(content: Element) -> Size | None:
    """Return the size that a file states; None if it does not, or states 0 as some programs do."""
    try:
        width, height = (float(content.findtext(f"size/{name}") or 0) for name in ("width", "height"))
    except ValueError:
        return None
    return (width, height) if width > 0 and height > 0 else None


def _box(file: PurePath, number: int, node: Element) -> PixelBox:
    """Return the corners as they stand; NaN if the object has no box. Raises DatasetError if they are no numbers."""
    found = node.find("bndbox")
    if found is None:
        return NO_BOX
    texts = [found.findtext(name) for name in ("xmin", "ymin", "xmax", "ymax")]
    try:
        x1, y1, x2, y2 = (float(text or "") for text in texts)
    except ValueError as error:
        raise DatasetError(f"{file}: the box of object {number} is not four numbers: {texts}.") from error
    return (x1, y1, x2, y2)


def _lines(text: str) -> Sequence[str]:
    """Return the names that a list has; a second column, as of lists of one class, is not read."""
    return [line.split()[0] for line in text.splitlines() if line.strip()]
