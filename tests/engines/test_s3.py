"""Paths on object storage, against a local S3 server."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import rca_kit
from rca_kit.errors import RcaKitError
from rca_kit.sources import open as open_module
from rca_kit.sources import open_case

from .same import differences

moto = pytest.importorskip("moto.server")
boto3 = pytest.importorskip("boto3")
SAMPLES = Path(__file__).resolve().parents[2] / "data" / "samples"
SLUG = "auc-drop-null-feature"


@pytest.fixture(scope="module")
def bucket() -> Iterator[Any]:
    server = moto.ThreadedMotoServer(port=0, verbose=False)
    server.start()
    endpoint = f"http://127.0.0.1:{server.get_host_and_port()[1]}"
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"AWS_ACCESS_KEY_ID": "kit", "AWS_SECRET_ACCESS_KEY": "s3cr3t-key", "AWS_REGION": "us-east-1",
                            "AWS_DEFAULT_REGION": "us-east-1", "AWS_ENDPOINT_URL": endpoint}.items():
            patch.setenv(name, value)
        client = boto3.client("s3", endpoint_url=endpoint)
        client.create_bucket(Bucket="logs")
        log = pl.read_parquet(SAMPLES / SLUG / "predictions.parquet")
        third = log.height // 3 + 1
        for i in range(3):
            put(client, f"day/part-{i}.parquet", parquet(log[i * third : (i + 1) * third]))
        put(client, "odd/part-0.parquet", parquet(log[:third]))
        put(client, "odd/part-1.parquet", parquet(log[third:].drop("score")))
        put(client, "types/part-0.parquet", parquet(log[:third]))
        put(client, "types/part-1.parquet", parquet(log[third:].with_columns(pl.col("score").cast(pl.String))))
        put(client, "cut/part-0.parquet", parquet(log)[:-5_000])
        yield client
    server.stop()


def put(client: Any, key: str, body: bytes) -> None:
    client.put_object(Bucket="logs", Key=key, Body=body)


def parquet(frame: pl.DataFrame) -> bytes:
    out = io.BytesIO()
    frame.write_parquet(out)
    return out.getvalue()


@pytest.mark.parametrize("spec", ["s3://logs/day/part-*.parquet", [f"s3://logs/day/part-{i}.parquet" for i in range(3)]])
def test_parts_on_s3_give_the_findings_of_the_file(spec: Any, bucket: Any, sample_copy: Any) -> None:
    folder = sample_copy(SLUG, spec)
    opened = open_case(folder)
    assert "s3://logs/day/part-" in opened.tables[0].files[0]
    found, expected = rca_kit.investigate(opened).to_dict(), rca_kit.investigate(SAMPLES / SLUG).to_dict()
    assert list(differences(found, expected)) == []


@pytest.mark.parametrize(("path", "says"), [
    ("s3://logs/day/nothing.parquet", "nothing.parquet"),
    ("s3://logs/none/part-*.parquet", "s3://logs/none"),
    ("s3://elsewhere/part-0.parquet", "elsewhere"),
    ("s3://logs/odd/part-*.parquet", "score"),
    ("s3://logs/types/part-*.parquet", "score"),
    ("s3://logs/cut/part-0.parquet", "damaged or cut off"),
    ("s3://logs/day/part-0", "ending"),
])
def test_what_cannot_be_read_is_said(path: str, says: str, bucket: Any, sample_copy: Any) -> None:
    with pytest.raises(RcaKitError) as error:
        rca_kit.investigate(sample_copy(SLUG, path))
    assert error.value.exit_code in (2, 4)
    assert says in str(error.value)
    assert "s3cr3t-key" not in str(error.value)


def test_a_server_that_goes_away_half_way_is_said(bucket: Any, sample_copy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_module, "EAGER_ROWS", 1)  # a log that does not fit in memory is read again after it was opened
    opened = open_case(sample_copy(SLUG, "s3://logs/day/part-*.parquet"))
    for i in range(3):
        bucket.delete_object(Bucket="logs", Key=f"day/part-{i}.parquet")
    with pytest.raises(RcaKitError, match="could not be read to their end") as error:
        rca_kit.investigate(opened)
    assert error.value.exit_code == 4
