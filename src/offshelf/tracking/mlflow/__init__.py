"""MLflow: the only package that imports it, apart from the model code that MLflow itself runs."""
