"""The narwhals boundary: the only door to files, frames and engines."""
