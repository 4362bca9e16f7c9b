"""A run's model in use: predictions in this process, in an MLflow model, or from an ONNX file."""
