"""A run's whole pipeline as one ONNX file, including the network: from squares of pixels to scores of classes."""

from offshelf.serving.onnx.write import Written, write_onnx

__all__ = ["Written", "write_onnx"]
