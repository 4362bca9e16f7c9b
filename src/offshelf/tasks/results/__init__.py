"""Results of tasks: data for a program, and the lines that a command prints."""

from offshelf.tasks.results.classification import ClassificationResult, ImagePredictions
from offshelf.tasks.results.dataset import DatasetDescription
from offshelf.tasks.results.extraction import ExtractionResult
from offshelf.tasks.results.inspection import InspectionResult
from offshelf.tasks.results.layers import LayerListing
from offshelf.tasks.results.recommendation import Recommendation
from offshelf.tasks.results.result import Result
from offshelf.tasks.results.retrieval import RetrievalResult

__all__ = [
    "ClassificationResult",
    "DatasetDescription",
    "ExtractionResult",
    "ImagePredictions",
    "InspectionResult",
    "LayerListing",
    "Recommendation",
    "Result",
    "RetrievalResult",
]
