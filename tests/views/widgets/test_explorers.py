"""What clicks do, without a browser: state, tables, journal. The browser's part is in tests/browser."""

from __future__ import annotations

import json
import re
from datetime import timedelta

import pytest

import rca_kit
from rca_kit.loop.session import Session
from rca_kit.views.report import extract_findings


def click(explorer, act, arg="", value="", **form):
    explorer.act({"act": act, "arg": arg, "value": value, "form": form})


def kinds(work):
    return [e.kind for e in work.session.journal.entries()]


def test_every_explorer_has_words_a_table_and_a_picture(work):
    for explorer in work.explorers:
        rows = explorer.table()
        assert rows and all(set(r) == set(rows[0]) for r in rows), explorer.key
        html = explorer._repr_html_()
        assert explorer.title in html and "<table" in html
        assert not re.search(r"<script|onload|onclick|javascript:", html)
    for explorer in (work.onset, work.scope, work.data):
        figure = explorer.figure()
        assert figure["data"] and figure["layout"]["height"] > 100
    whole = work._repr_mimebundle_()
    assert "widget-view" in " ".join(whole) and "<svg" in whole["text/html"]


def test_a_brush_sets_the_window_and_everything_follows(work):
    before, after = work.session.windows
    share = {r["value"]: r["n_after"] for r in work.scope.table()}
    late = after.start + timedelta(hours=1)
    click(work.onset, "side", "after")
    work.onset.act({"act": "brush", "range": [f"{late:%Y-%m-%d %H:%M:%S}", f"{after.end:%Y-%m-%d %H:%M}"]})
    assert work.session.windows[1].start == late and work.session.windows[0].end == before.end
    assert {r["value"]: r["n_after"] for r in work.scope.table()}["on"] < share["on"]
    assert next(r for r in work.onset.table() if r["metric"] == "latency_p95")["n_after"] < 1369
    assert not work.session.behind and work.session.worked.picture.windows == work.session.windows
    assert kinds(work)[-1] == "windows"
    click(work.onset, "reset")
    assert work.session.windows == (before, after)


def test_windows_that_make_no_sense_are_refused_and_nothing_is_written(work):
    lines = len(kinds(work))
    click(work.onset, "windows", before_from="2026-03-01", before_to="2026-02-01", after_from="2026-03-01", after_to="x")
    assert "this is no time" in work.onset.said
    click(work.onset, "windows", before_from="2026-03-01", before_to="2026-02-01", after_from="2026-03-01", after_to="2026-03-02")
    assert "not in order" in work.onset.said
    assert len(kinds(work)) == lines


def test_conditions_come_and_go_by_click(work):
    click(work.scope, "add", json.dumps(["text_embedding", "on"]))
    assert work.scope.where == {"text_embedding": "on"}
    work.scope.act({"act": "click", "id": json.dumps({"device": "mobile"})})
    assert work.scope.where == {"text_embedding": "on", "device": "mobile"}
    assert not {"text_embedding", "device"} & {r["dimension"] for r in work.scope.table()}
    click(work.scope, "compare")
    assert "against the rest" in work.scope.body() and work.scope.rest is not None
    for view in ("heat", "fall", "tree"):
        click(work.scope, "view", view)
        assert work.scope.figure()["data"]
    click(work.scope, "remove", "device")
    click(work.scope, "only", "{}")
    assert work.scope.where == {}


def test_a_declared_scope_goes_into_the_findings(work):
    click(work.scope, "only", json.dumps({"device": "mobile"}))
    click(work.scope, "declare")
    scope = work.session.investigation().scope
    assert [s.where for s in scope.segments] == [{"device": "mobile"}] and 0.4 < scope.segments[0].share_of_traffic < 0.7
    assert scope.segments[0].after > scope.segments[0].before and "ana" in " ".join(scope.notes)
    click(work.scope, "undeclare")
    assert [s.where for s in work.session.investigation().scope.segments] == [{"text_embedding": "on"}]


def test_data_is_filtered_and_looked_at(work):
    click(work.data, "filter", value="QUERY")
    assert work.data.shown() and all("query" in f"{c.column} {c.reason}".lower() for c in work.data.shown())
    click(work.data, "filter", value="")
    assert "Schema diff" in work.data.body() and "No column came, went" in work.data.body() and work.data.schema() == ()
    name = work.data.table()[-1]["column"]
    click(work.data, "choose", name)
    figure = work.data.figure()
    before = next(t for t in figure["data"] if t["name"] == "before")
    assert sum(before["y"]) == pytest.approx(1.0) and work.data.column() == name


def test_excluding_needs_a_reason_and_shares_out_the_probability(work):
    first = work.session.suspects.items[0]
    ref = {"subject": first.subject, "change_id": first.change_id}
    click(work.suspects, "mark", "excluded", reason=" ", **ref)
    assert "reason" in work.suspects.said and work.session.suspects.items[0] == first
    click(work.suspects, "mark", "excluded", reason="rolled back, no effect", **ref)
    found = work.session.suspects
    assert found.excluded[0].change_id == first.change_id and found.excluded[0].probability == 0
    assert sum(s.probability for s in found.items) + found.unexplained == pytest.approx(1.0)
    assert work.session.investigation().to_dict()["suspects"][-1]["decision"] == {
        "mark": "excluded", "reason": "rolled back, no effect", "by": "ana",
    }
    click(work.suspects, "suspect", title="Neighbour ate the cache", category="infra", subject="component:node", change_id="")
    own = next(s for s in work.session.suspects.items if s.subject == "component:node")
    click(work.suspects, "evidence", says="seen in its graphs", weight="2", subject="component:node", change_id="")
    after = next(s for s in work.session.suspects.items if s.subject == "component:node")
    assert after.probability > own.probability and after.added_by == "ana"
    click(work.suspects, "unmark", **ref)
    again = work.session.suspects.items
    assert again[0].change_id == first.change_id and not work.session.suspects.excluded  # one remark does not outweigh all checks
    click(work.suspects, "mark", "confirmed", reason="", **ref)
    assert work.session.suspects.items[0].decision.mark == "confirmed"


def test_samples_step_by_key_and_keep_their_tags(work):
    click(work.samples, "step", "1")
    assert "Pair 2 of" in work.samples.body()
    key = work.samples.samples.pairs[1].key
    click(work.samples, "tag", key, value="typical")
    assert work.samples.samples.pairs[1].tag == "typical"
    click(work.samples, "step", "-1")
    click(work.samples, "step", "-1")
    assert "Pair 1 of" in work.samples.body()


def test_settling_is_kept_and_written(work, folder):
    action = work.settle.settlement.actions[0].text
    click(work.settle, "action", action, text=action, kind="fix", owner="bo <b>", due="2026-04-01", success_metric="p95 back")
    click(work.settle, "action", "", text="Cap the memory", kind="prevent", owner="cy", due="", success_metric="")
    click(work.settle, "whys", q0="Why was it slow?", a0="It was human error", e0="", q1="", a1="", e1="")
    assert "names a person" in work.settle.body() and "Why 1: stops at a symptom" in work.settle.body()
    click(work.settle, "moment", "", at="2026-03-01 18:00", text="paged the team")
    click(work.settle, "severity", level="SEV1", reason="all of search")
    click(work.settle, "message", "status page", text="Search is slow. We are on it.")
    first = work.session.suspects.items[0]
    click(work.suspects, "mark", "confirmed", reason="", subject=first.subject, change_id=first.change_id)
    click(work.samples, "tag", work.samples.samples.pairs[1].key, value="typical")
    line = work.settle.settlement.checklist[0]
    click(work.settle, "check", value="done", list=line.list_name, line=line.text)
    click(work.settle, "report")
    written = work.settle.written.report
    page = written.read_text(encoding="utf-8")
    for words in ("bo &lt;b&gt;", "Cap the memory", "Why was it slow?", "paged the team", "SEV1", "Search is slow. We are on it.",
                  "typical", "Confirmed"):
        assert words in page, words
    assert "Cap the memory" in written.with_name("summary.md").read_text(encoding="utf-8")
    found = extract_findings(written)
    assert found["severity"]["level"] == "SEV1" and found["suspects"][0]["decision"]["mark"] == "confirmed"


def test_a_new_session_and_an_unattended_run_end_where_this_one_did(work, folder):
    here = work.session.investigation().to_dict()
    again = Session(folder, author="bo")
    assert again.decisions == work.session.decisions
    assert again.investigation().to_dict() == here
    assert rca_kit.investigate(folder).to_dict() == here


def test_another_session_on_the_same_case_is_seen(work, folder):
    work.session.journal.add("severity", "no, smaller", author="bo", data={"level": "SEV3"})
    work.session.reread()
    assert work.settle.settlement.severity.level == "SEV3"


def test_what_goes_wrong_is_told_in_the_panel(work):
    click(work.scope, "add", "no json")
    assert "did not work" in work.scope.said and "Traceback" not in work.scope.said
    click(work.scope, "no such act")
