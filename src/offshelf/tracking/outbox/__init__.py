"""The outbox: runs stored as plain text in folders until they are sent to MLflow."""
