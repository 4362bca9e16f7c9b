"""Transforms between the store and the classifier, fitted on training features only."""

from offshelf.postprocess.postprocess import Transformer, fit_transform

__all__ = ["Transformer", "fit_transform"]
