"""The use of a run's model: predictions in this process, in an MLflow model, or from an ONNX file."""
