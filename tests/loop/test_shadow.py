from __future__ import annotations

import json

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pytest

from rca_kit import compare_shadow
from rca_kit.errors import BadInput
from rca_kit.loop.versions.pairing import pair_logs


def make(seed, n=3000, jitter=0.02, shift=0.0, where=None, twice=0.02, lost=0.03, heavy=False):
    """A/A by construction; `shift` is added to the candidate in the rows of `where`."""
    rng = np.random.default_rng(seed)
    base = rng.beta(2, 5, n)
    t = pl.DataFrame({"request_id": [f"r{i}" for i in range(n)], "device": rng.choice(["ios", "android", "web"], n),
                      "country": rng.choice(list("ABCDE"), n), "age": rng.integers(18, 80, n)})
    inside = np.ones(n, bool) if where is None else np.logical_and.reduce([(t[k] == v).to_numpy() for k, v in where.items()])

    def noisy():
        return np.clip(base + jitter * (rng.standard_t(3, n) if heavy else rng.normal(size=n)), 0, 1)

    t = t.with_columns(primary=noisy(), candidate=noisy() + shift * inside, secondary=noisy())
    for side in ("primary", "candidate"):
        t = t.with_columns(pl.when(pl.Series(rng.random(n) < lost)).then(None).otherwise(pl.col(side)).alias(side))
    return pl.concat([t, t.sample(int(twice * n), seed=seed)]).sample(fraction=1, shuffle=True, seed=seed)


@pytest.mark.parametrize("options", [{}, {"secondary": False}, {"candidate": "secondary", "secondary": False}])
@pytest.mark.parametrize("jitter", [0.005, 0.05])
def test_a_a_is_not_different(options, jitter):
    different = [s for s in range(60) if compare_shadow(make(s, 1500, jitter), **options).verdict == "different"]
    assert len(different) <= 7, different  # 5 % of 60 and two and a half standard errors; see benchmarks/shadow.py for many more


def test_a_a_with_heavy_tails_and_without_jitter():
    assert sum(compare_shadow(make(s, 1000, heavy=True)).verdict == "different" for s in range(30)) <= 4
    got = compare_shadow(make(0, jitter=0.0))
    assert got.verdict == "equivalent"
    assert (got.difference, got.interval) == (0, (0, 0))


def test_a_large_a_a_is_equivalent_and_its_interval_lies_within_the_margin():
    got = compare_shadow(make(1, 20_000))
    assert got.verdict == "equivalent"
    assert -got.margin <= got.interval[0] <= got.interval[1] <= got.margin
    assert got.segments == ()


@pytest.mark.parametrize("secondary", [None, False])
@pytest.mark.parametrize("where", [{"device": "ios"}, {"country": "C"}, {"country": "B", "device": "web"}])
def test_a_bias_in_one_segment_is_found_there(where, secondary):
    for seed in range(5):
        got = compare_shadow(make(seed, 8000, shift=0.04, where=where), secondary=secondary)
        assert got.verdict == "different"
        assert [s.where for s in got.segments] == [where]
        assert got.segments[0].change_interval[0] < 0.04 < got.segments[0].change_interval[1] + 0.002


def test_biases_that_cancel_are_found():
    t = make(0, 6000).with_columns(candidate=pl.col("candidate") + pl.when(pl.col("device") == "ios").then(0.03)
                                   .when(pl.col("device") == "web").then(-0.03).otherwise(0.0))
    got = compare_shadow(t)
    assert got.checks["bias"].state == "equivalent"
    assert got.verdict == "different"
    assert {s.where["device"] for s in got.segments} == {"ios", "web"}


def test_a_range_of_a_number_is_a_segment_when_asked_for():
    t = make(0, 8000).with_columns(candidate=pl.col("candidate") + pl.when(pl.col("age") < 26).then(0.05).otherwise(0.0))
    got = compare_shadow(t, dimensions=["age"])
    assert got.verdict == "different"
    assert "lt" in got.segments[0].where["age"]


def test_a_general_bias_names_no_segment():
    got = compare_shadow(make(0, 6000, shift=0.03))
    assert got.verdict == "different"
    assert got.segments == ()
    assert got.interval[0] < 0.03 < got.interval[1]


def test_too_few_pairs_are_inconclusive_and_say_how_many_would_do():
    got = compare_shadow(make(0, 120, jitter=0.1))
    assert got.verdict == "inconclusive"
    assert got.needed_pairs > got.pairs
    assert got.detectable > got.margin


def test_pairing_is_counted():
    t = make(0, 1000, twice=0.1, lost=0.05)
    got = compare_shadow(t)
    assert got.pairing["rows"].count == 1100
    assert got.pairing["duplicates"].count == 100
    unique = t.unique("request_id")
    assert got.pairs == unique.filter(pl.col("primary").is_not_null() & pl.col("candidate").is_not_null()).height
    assert got.pairing["unmatched"].count == unique.filter(
        pl.col("primary").is_not_null() ^ pl.col("candidate").is_not_null()).height


def test_a_shadow_that_lost_a_tenth_of_the_requests_is_not_a_different_model():
    t = make(0, 20_000, lost=0.0).with_columns(candidate=pl.when(pl.int_range(pl.len()) % 10 == 0).then(None)
                                               .otherwise(pl.col("candidate")))
    got = compare_shadow(t)
    assert got.verdict == "equivalent"
    assert any("not compared" in n for n in got.notes)


def test_errors_that_are_logged_as_such_count():
    t = make(0, 5000, lost=0.0).with_columns(
        primary_error=pl.lit(None, pl.String),
        candidate_error=pl.when(pl.int_range(pl.len()) % 20 == 0).then(pl.lit("timeout")))
    got = compare_shadow(t)
    assert got.verdict == "different"
    assert got.checks["error_rate"].state == "different"


def test_noise_of_the_candidate_alone_is_an_excess():
    rng = np.random.default_rng(0)
    t = make(0, 5000, jitter=0.01, lost=0)
    t = t.with_columns(candidate=(pl.col("candidate") + rng.normal(0, 0.08, t.height)).clip(0, 1))
    got = compare_shadow(t)
    assert got.verdict == "different"
    assert got.checks["excess"].state == "different"
    assert got.flips.excess > 0


def test_shuffled_answers_without_a_secondary_exceed_the_tolerance():
    t = make(0, 3000, lost=0, twice=0)
    got = compare_shadow(t.with_columns(candidate=pl.col("candidate").shuffle(1)), secondary=False)
    assert got.checks["disagreement"].state == "different"
    assert got.verdict == "different"
    assert compare_shadow(t, secondary=False, tolerance=0.5).checks["disagreement"].margin == 0.5


def test_labels_tell_which_is_better():
    rng = np.random.default_rng(0)
    t = make(0, 8000, lost=0, twice=0)
    t = t.with_columns(label=pl.Series(rng.random(8000)) < pl.col("primary"))
    got = compare_shadow(t.with_columns(candidate=(pl.col("primary") + rng.normal(0, 0.15, 8000)).clip(0, 1)))
    assert got.metrics["auc"].worse
    assert got.metrics["auc"].first > got.metrics["auc"].second
    assert "label" not in [d for s in got.singles for d in s.where]


def test_latency_is_paired():
    rng = np.random.default_rng(0)
    t = make(0, 4000).drop("primary", "candidate", "secondary")
    base = rng.gamma(2, 30, t.height)
    score = rng.random(t.height)
    t = t.with_columns(primary=pl.Series(score), candidate=pl.Series(score),
                       primary_ms=pl.Series(base + rng.normal(0, 1, t.height)),
                       candidate_ms=pl.Series(base + 2 + rng.normal(0, 1, t.height)))
    got = compare_shadow(t).latency
    assert got.slower
    assert got.interval[0] < 2 < got.interval[1]
    assert got.interval[1] - got.interval[0] < 0.5  # the unpaired medians would know it to several milliseconds only
    assert not compare_shadow(make(0)).latency


@pytest.mark.parametrize("kind", ["text", "class", "json", "ranking"])
def test_other_kinds_of_answers(kind):
    rng = np.random.default_rng(0)
    n = 1500
    words = np.asarray(["the", "quick", "brown", "fox", "jumps", "over", "one", "lazy", "dog", "again"])

    def answer(i, noise, other=False):
        r = np.random.default_rng([i, 7])
        if kind == "class":
            return str(rng.choice(list("xyz"))) if rng.random() < noise else ("xyzx" if not other else "xyzy")[i % 4]
        if kind == "ranking":
            items = r.permutation(10).tolist()
            j = int(rng.integers(0, 9)) if rng.random() < noise else -1
            if j >= 0:
                items[j], items[j + 1] = items[j + 1], items[j]
            return items[::-1] if other and i % 3 == 0 else items
        text = r.choice(words, 12).tolist()
        if rng.random() < noise:
            text[int(rng.integers(0, 12))] = "noise"
        if other and i % 3 == 0:
            text = text[:6]
        if kind == "json":
            return json.dumps({"answer": {"words": " ".join(text)}, "n": i, "lang": "de" if other and i % 5 == 0 else "en"})
        return " ".join(text)

    def table(other):
        return pl.DataFrame({"request_id": range(n), "device": rng.choice(["a", "b"], n),
                             "primary": [answer(i, 0.2) for i in range(n)], "secondary": [answer(i, 0.2) for i in range(n)],
                             "candidate": [answer(i, 0.2, other) for i in range(n)]})

    same, changed = compare_shadow(table(False)), compare_shadow(table(True))
    assert same.kind == changed.kind == kind
    assert same.verdict != "different"
    assert changed.verdict == "different"
    assert same.noise > 0
    if kind == "json":
        assert changed.fields[0].path in ("answer.words", "lang")
        assert "n" not in [f.path for f in changed.fields]


def test_zero_one_decisions():
    rng = np.random.default_rng(0)
    p = (rng.random(6000) < 0.3).astype(int)
    flip = rng.random(6000) < 0.05
    t = pl.DataFrame({"primary": p, "candidate": np.where(flip & (p == 1), 0, p), "secondary": p})
    got = compare_shadow(t)
    assert got.kind == "class"
    assert (got.flips.gained, got.flips.lost) == (0, int((flip & (p == 1)).sum()))
    assert got.verdict == "different"


def test_numbers_in_text_with_rubbish_are_numbers():
    t = make(0, 2000).with_columns(pl.col("primary", "candidate", "secondary").cast(pl.String))
    t = t.with_columns(candidate=pl.when(pl.int_range(pl.len()) % 50 == 0).then(pl.lit("oops")).otherwise("candidate"))
    got = compare_shadow(t)
    assert got.kind == "probability"
    assert got.pairing["candidate_unanswered"].count >= 38


def test_clusters_widen_the_interval():
    rng = np.random.default_rng(0)
    user = np.repeat(np.arange(100), 30)
    t = pl.DataFrame({"primary": rng.random(3000), "user": user})
    t = t.with_columns(candidate=pl.col("primary") + 0.05 * rng.normal(size=100)[user])
    one, many = compare_shadow(t, dimensions=[]), compare_shadow(t, dimensions=[], cluster="user")
    assert many.interval[1] - many.interval[0] > 3 * (one.interval[1] - one.interval[0])


def test_pandas_arrow_duckdb_and_paths_agree(tmp_path):
    t = make(0, 2000, shift=0.05, where={"device": "ios"})
    want = compare_shadow(t).to_dict()
    t.write_parquet(tmp_path / "t.parquet")
    for table in (t.to_pandas(), t.to_arrow(), t.lazy(), duckdb.from_arrow(t.to_arrow()), tmp_path / "t.parquet"):
        assert compare_shadow(table).to_dict() == want


def test_the_same_table_gives_the_same_answer_in_any_order():
    t = make(0, 2000, twice=0)
    a, b = compare_shadow(t), compare_shadow(t.sort("request_id"))
    assert a.difference == pytest.approx(b.difference)
    assert a.verdict == b.verdict


def test_unknown_columns_are_named():
    with pytest.raises(BadInput, match="did you mean `candidate`"):
        compare_shadow(make(0, 100), candidate="candidat")
    with pytest.raises(BadInput, match="kind"):
        compare_shadow(make(0, 100), kind="probabilty")
    with pytest.raises(BadInput, match="dimension"):
        compare_shadow(make(0, 100), dimensions=["devise"])


def test_a_decision_of_the_primary_is_no_segment_without_a_secondary():
    t = make(0, 8000, jitter=0.05).with_columns(approved=(pl.col("primary") > 0.4), band=(pl.col("primary") * 5).cast(pl.Int64))
    got = compare_shadow(t, secondary=False)
    assert got.verdict != "different"
    assert sum("regression to the mean" in n for n in got.notes) == 2
    assert compare_shadow(t).verdict != "different"


def test_nothing_to_compare_is_inconclusive():
    t = pl.DataFrame({"request_id": [1, 2], "primary": [0.1, None], "candidate": [None, 0.2]})
    got = compare_shadow(t)
    assert got.verdict == "inconclusive"
    assert got.pairs == 0
    assert compare_shadow(t.head(0)).verdict == "inconclusive"
    assert compare_shadow(pd.DataFrame({"primary": [0.5], "candidate": [0.5]})).verdict == "inconclusive"


def test_finding_shows_itself():
    got = compare_shadow(make(0, 500))
    assert got.frame().height == len(got.rows())
    assert "next:" in repr(got)
    assert "<table>" in got._repr_html_()
    json.dumps(got.to_dict())


def test_two_logs_make_a_shadow_table():
    a = pd.DataFrame({"rid": ["a", "b", "b"], "p": [0.1, 0.2, 0.3], "device": ["x", "y", "y"]})
    b = pl.DataFrame({"rid": ["b", "c"], "p": [0.25, 0.4]})
    got = pair_logs(a, b, id="rid", score="p", keep=["device"]).sort("request_id")
    assert got["primary"].to_list() == [0.1, 0.2, None]
    assert got["candidate"].to_list() == [None, 0.25, 0.4]
