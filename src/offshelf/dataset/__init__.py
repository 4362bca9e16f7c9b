"""Data sets: samples, the folds to train and test on, and the official metric."""

from offshelf.dataset.annotated.coco import Coco
from offshelf.dataset.annotated.voc_xml import VocXml
from offshelf.dataset.annotated.yolo import Yolo
from offshelf.dataset.csv_dataset import Csv
from offshelf.dataset.digits import Digits
from offshelf.dataset.folder import Folder, image_files
from offshelf.dataset.image import Image, ImageArray, ImageBytes, ImageFile, parse_colour
from offshelf.dataset.imageset import Dataset, Fold, ImageSet, LeftOut, Sample, TrainingSize
from offshelf.dataset.leaks import LeakRules, Leaks, leak_rules, settle_exact, settle_near
from offshelf.dataset.published.caltech101 import Caltech101
from offshelf.dataset.published.cifar10 import Cifar10
from offshelf.dataset.published.cub200 import Cub200
from offshelf.dataset.published.dtd import Dtd
from offshelf.dataset.published.eurosat import EuroSat
from offshelf.dataset.published.flowers102 import Flowers102
from offshelf.dataset.published.food101 import Food101
from offshelf.dataset.published.h3d import H3d
from offshelf.dataset.published.holidays import Holidays
from offshelf.dataset.published.mit67 import Mit67
from offshelf.dataset.published.official import About, Described
from offshelf.dataset.published.oxford5k import Oxford5k
from offshelf.dataset.published.paris6k import Paris6k
from offshelf.dataset.published.pets import Pets
from offshelf.dataset.published.revisited import ROxford5k, RParis6k
from offshelf.dataset.published.sculptures6k import Sculptures6k
from offshelf.dataset.published.stanford_cars import StanfordCars
from offshelf.dataset.published.sun397 import Sun397
from offshelf.dataset.published.uiuc_attributes import UiucAttributes
from offshelf.dataset.published.ukbench import UkBench
from offshelf.dataset.published.voc2007 import Voc2007
from offshelf.dataset.reading import check_images, digests, value_range
from offshelf.dataset.retrieval_set import (
    RetrievalDataset,
    RetrievalItem,
    RetrievalSet,
    Truth,
    Unsplit,
    as_retrieval,
    load_searched,
    load_unsplit,
    require_labels,
    require_retrieval,
)
from offshelf.dataset.sources.given_features import GivenFeatures, Vector
from offshelf.dataset.sources.huggingface import HuggingFace
from offshelf.dataset.sources.parquet import Parquet
from offshelf.dataset.sources.webdataset import WebDataset
from offshelf.dataset.thumbnails import thumbnail
from offshelf.dataset.training_sizes import TrainingSizes

__all__ = [
    "About",
    "Caltech101",
    "Cifar10",
    "Coco",
    "Csv",
    "Cub200",
    "Dataset",
    "Described",
    "Digits",
    "Dtd",
    "EuroSat",
    "Flowers102",
    "Fold",
    "Folder",
    "Food101",
    "GivenFeatures",
    "H3d",
    "Holidays",
    "HuggingFace",
    "Image",
    "ImageArray",
    "ImageBytes",
    "ImageFile",
    "ImageSet",
    "LeakRules",
    "Leaks",
    "LeftOut",
    "Mit67",
    "Oxford5k",
    "Paris6k",
    "Parquet",
    "Pets",
    "ROxford5k",
    "RParis6k",
    "RetrievalDataset",
    "RetrievalItem",
    "RetrievalSet",
    "Sample",
    "Sculptures6k",
    "StanfordCars",
    "Sun397",
    "TrainingSize",
    "TrainingSizes",
    "Truth",
    "UiucAttributes",
    "UkBench",
    "Unsplit",
    "Vector",
    "Voc2007",
    "VocXml",
    "WebDataset",
    "Yolo",
    "as_retrieval",
    "check_images",
    "digests",
    "image_files",
    "leak_rules",
    "load_searched",
    "load_unsplit",
    "parse_colour",
    "require_labels",
    "require_retrieval",
    "settle_exact",
    "settle_near",
    "thumbnail",
    "value_range",
]
