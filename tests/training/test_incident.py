from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml

from rca_kit.errors import BadInput
from rca_kit.training import Key, list_mechanisms, make_incident
from rca_kit.training.incident import make_plan
from rca_kit.training.logs import read_log
from rca_kit.training.rows import simulate
from rca_kit.training.write import table


def _bytes(folder: Path) -> dict[str, bytes]:
    return {f.name: f.read_bytes() for f in sorted(folder.iterdir())}


def test_same_seed_same_bytes(tmp_path: Path) -> None:
    a, key_a = make_incident(11, "threshold", rows=3000, out=tmp_path / "a")
    b, key_b = make_incident(11, "threshold", rows=3000, out=tmp_path / "b")
    assert key_a == key_b
    assert _bytes(a) == _bytes(b)
    c, _ = make_incident(12, "threshold", rows=3000, out=tmp_path / "c")
    assert _bytes(a) != _bytes(c)


@pytest.mark.parametrize("mechanism", list_mechanisms())
def test_every_mechanism_writes_a_case_that_agrees_with_its_key(mechanism: str, tmp_path: Path) -> None:
    folder, key = make_incident(5, mechanism, rows=4000, out=tmp_path)
    doc = yaml.safe_load((folder / "incident.yaml").read_text(encoding="utf-8"))
    assert {"id", "title", "detected_at", "signal", "tables"} <= set(doc)
    assert not any("key" in f.name for f in folder.iterdir())
    rows, _ = read_log(folder)
    assert 2000 < len(rows) < 12_000
    for name in _named(doc.get("roles", {})):
        assert name in rows.columns
    for where in key.where:
        for column, value in where.items():
            assert value in rows[column].unique().to_list()
    assert (key.onset is None) == (key.verdict == "no_change")
    assert (key.category is None) == (key.verdict == "no_change")
    assert 20 <= key.onset_tolerance_minutes <= 180
    if "changes" in doc["tables"]:
        changes = pl.read_csv(folder / "changes.csv")
        ids = changes["id"].to_list()
        assert len(ids) == len(set(ids))
        assert set(key.innocent) | {c for c in (key.change_id,) if c} | set(key.changes_ok) == set(ids)
    subjects = [s for s in (key.subject, *key.subjects_ok) if s and s.startswith("feature:")]
    for s in subjects:
        assert s.removeprefix("feature:") in rows.columns


def _named(roles: dict[str, object]) -> list[str]:
    out: list[str] = []
    for value in roles.values():
        out += [value] if isinstance(value, str) else list(value)  # type: ignore[call-overload]
    return out


def test_no_nan_is_written_for_missing_numbers(tmp_path: Path) -> None:
    folder, _ = make_incident(3, "nulls-job", rows=3000, out=tmp_path)
    rows, _ = read_log(folder)
    for name, kind in rows.schema.items():
        if kind.is_float():
            assert not rows[name].is_nan().any(), name


def test_a_large_log_is_written_in_parts_in_order_of_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rca_kit.training.write.PART_ROWS", 5_000)
    folder, _ = make_incident(4, "saturation", rows=40_000, out=tmp_path)
    parts = sorted(folder.glob("predictions-*.parquet"))
    assert len(parts) == 8
    doc = yaml.safe_load((folder / "incident.yaml").read_text())
    assert doc["tables"]["predictions"] == "predictions-*.parquet"
    first, second = (pl.read_parquet(p) for p in parts[:2])
    time_column = next(c for c, t in first.schema.items() if t.base_type() is pl.Datetime)
    assert first[time_column].max() < second[time_column].min()
    ids = pl.concat([pl.read_parquet(p) for p in parts]).to_series(1)
    assert ids.n_unique() == len(ids)


def test_bad_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="did you mean `threshold`"):
        make_incident(1, "treshold", out=tmp_path)
    with pytest.raises(BadInput, match="does not fit"):
        make_incident(1, "prompt-injection", world="eta", out=tmp_path)


def test_variety_of_the_draw() -> None:
    plans = [make_plan(s) for s in range(400, 640)]
    verdicts = [p.answer.verdict for p in plans]
    assert 0.6 < verdicts.count("incident") / 240 < 0.8
    assert 0.06 < verdicts.count("benign_shift") / 240 < 0.2
    categories = {p.answer.category for p in plans if p.answer.verdict == "incident"}
    assert categories == {"data", "model", "code", "infra", "config", "upstream", "external"}
    assert len({p.mechanism for p in plans}) >= 45
    assert len({p.world.name for p in plans}) == 9
    guilty = [c for p in plans for c in p.changes if c.guilty and p.answer.verdict == "incident"]
    unlogged = np.mean([not c.logged for c in guilty])
    assert 0.1 < unlogged < 0.35
    assert 0.15 < np.mean([bool(p.rename) for p in plans]) < 0.45
    decoys = [sum(not c.guilty for c in p.changes) for p in plans]
    assert min(decoys) >= 1


def test_nothing_happens_before_the_onset() -> None:
    """The planted fault must not reach a row before its onset: the same plan without hooks gives the same early rows."""
    for mechanism in ("nulls-job", "unit-change", "expensive-call", "labels-flipped", "threshold"):
        broken, clean = make_plan(21, mechanism, rows=6000), make_plan(21, mechanism, rows=6000)
        for phase in clean.hooks:
            clean.hooks[phase] = []
        a, b = simulate(broken), simulate(clean)
        assert a.n == b.n
        early = a.t < broken.onset
        for name, column in a.served.items():
            same = np.array_equal(column[early], b.served[name][early], equal_nan=column.dtype.kind == "f")
            assert same, (mechanism, name)


def test_quiet_cases_have_no_hooks_on_values() -> None:
    for mechanism in list_mechanisms("no_change"):
        p = make_plan(9, mechanism)
        assert all(not p.hooks[phase] for phase in p.hooks if phase != "rows"), mechanism
        assert not p.metric_hooks and not p.extras


def test_table_of_a_text_service_has_texts() -> None:
    p = make_plan(2, "prompt-injection", rows=3000)
    frame = table(simulate(p))
    assert {"prompt", "response"} <= set(frame.columns)
    assert frame["prompt"].str.contains("(?i)ignore all previous|DAN|SYSTEM|Repeat after me").any()


def test_key_round_trip(tmp_path: Path) -> None:
    _, key = make_incident(8, "canary", rows=3000, out=tmp_path)
    key.save(tmp_path / "k.json")
    assert Key.load(tmp_path / "k.json") == key
    (tmp_path / "bad.json").write_text('{"casus": 1}')
    with pytest.raises(BadInput):
        Key.load(tmp_path / "bad.json")
