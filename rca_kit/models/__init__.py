"""Adapters that replay can call: Python callable, joblib, ONNX, MLflow, HTTP endpoint."""
