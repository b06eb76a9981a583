"""Read a generated case's log as one small frame, to score scopes by rows."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import yaml

from rca_kit.errors import BadInput

ISO = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}"


def read_log(folder: Path | str) -> tuple[pl.DataFrame, str]:
    """Give the request log of a generated case and the name of its time column, in UTC.

    Raises
    ------
    BadInput
        No column holds times.

    Examples
    --------
    >>> import tempfile
    >>> from rca_kit.training import make_incident
    >>> folder, _ = make_incident(3, "threshold", rows=2000, out=tempfile.mkdtemp())
    >>> rows, time = read_log(folder)
    >>> rows.schema[time].base_type()
    Datetime
    """
    folder = Path(folder)
    doc = yaml.safe_load((folder / "incident.yaml").read_text(encoding="utf-8"))
    pattern = str(doc["tables"]["predictions"])
    if pattern.endswith(".parquet"):
        rows = pl.read_parquet(folder / pattern)
    elif pattern.endswith(".jsonl"):
        rows = pl.read_ndjson(folder / pattern, infer_schema_length=None)
    else:
        rows = pl.read_csv(folder / pattern, infer_schema_length=None)
    for name, kind in rows.schema.items():
        if kind.base_type() is pl.Datetime:
            return rows, name
        if kind == pl.String and rows[name].head(20).str.contains(ISO).fill_null(value=False).all():
            return rows.with_columns(pl.col(name).str.to_datetime(time_zone="UTC")), name
    raise BadInput("no column holds times", file=str(folder / pattern))
