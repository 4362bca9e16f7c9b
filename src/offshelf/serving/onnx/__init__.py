"""A run's whole pipeline as one ONNX file: from squares of pixels to scores of classes, network included."""

from offshelf.serving.onnx.file import Written, write_onnx

__all__ = ["Written", "write_onnx"]
