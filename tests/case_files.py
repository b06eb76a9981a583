"""Small case folders, whole and broken, written in every way that people write them."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

N = 400
START = datetime(2026, 3, 1, tzinfo=UTC)
YAML = """id: T-1
title: t
detected_at: 2026-03-01T06:00:00Z
tables: {{predictions: {file}}}
{extra}"""


def log(n: int = N) -> pl.DataFrame:
    rng = np.random.default_rng(3)
    score = rng.random(n).round(4)
    return pl.DataFrame(
        {
            "ts": [START + timedelta(minutes=i) for i in range(n)],
            "score": score,
            "label": (rng.random(n) < score).astype(int),
            "country": rng.choice(["DE", "FR"], n),
            "amount": rng.normal(size=n).round(3),
            "latency_ms": rng.exponential(30, n).round(2),
        }
    )


def write(folder: Path, extra: str = "", frame: pl.DataFrame | None = None, file: str = "p.csv") -> Path:
    frame = log() if frame is None else frame
    if file.endswith(".csv"):
        frame.write_csv(folder / file)
    else:
        frame.write_parquet(folder / file)
    (folder / "incident.yaml").write_text(YAML.format(file=file, extra=extra))
    return folder


def text(folder: Path, content: str) -> Path:
    write(folder)
    (folder / "incident.yaml").write_text(content)
    return folder


def truncated_parquet(d: Path) -> None:
    write(d, file="p.parquet")
    raw = (d / "p.parquet").read_bytes()
    (d / "p.parquet").write_bytes(raw[: len(raw) // 2])


def truncated_gzip(d: Path) -> None:
    write(d)
    raw = gzip.compress((d / "p.csv").read_bytes())
    (d / "p.csv.gz").write_bytes(raw[: len(raw) // 2])
    (d / "incident.yaml").write_text(YAML.format(file="p.csv.gz", extra=""))


def broken_arrow(d: Path) -> None:
    write(d)
    (d / "p.arrow").write_bytes(b"ARROW1\x00\x00 and then nothing of use")
    (d / "incident.yaml").write_text(YAML.format(file="p.arrow", extra=""))


def two_parts(d: Path, second: pl.DataFrame) -> None:
    log().write_parquet(d / "part-1.parquet")
    second.write_parquet(d / "part-2.parquet")
    (d / "incident.yaml").write_text(YAML.format(file="part-*.parquet", extra=""))


def jsonl(d: Path, content: str) -> None:
    (d / "p.jsonl").write_text(content)
    (d / "incident.yaml").write_text(YAML.format(file="p.jsonl", extra=""))


def raw_csv(d: Path, content: bytes) -> None:
    (d / "p.csv").write_bytes(content)
    (d / "incident.yaml").write_text(YAML.format(file="p.csv", extra=""))


def duplicate_parquet(d: Path) -> None:
    table = log().to_arrow()
    twice = pa.Table.from_arrays([*table.columns, table["score"]], names=[*table.column_names, "score"])
    pq.write_table(twice, d / "p.parquet")
    (d / "incident.yaml").write_text(YAML.format(file="p.parquet", extra=""))


def changes(d: Path, content: str) -> None:
    write(d)
    (d / "c.csv").write_text(content)
    (d / "incident.yaml").write_text(YAML.format(file="p.csv, changes: c.csv", extra=""))


def metrics(d: Path, content: str) -> None:
    write(d)
    (d / "m.csv").write_text(content)
    (d / "incident.yaml").write_text(YAML.format(file="p.csv, service_metrics: m.csv", extra=""))


def csv_text(**changed: object) -> pl.DataFrame:
    return log().with_columns(**changed)
