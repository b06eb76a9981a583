from __future__ import annotations

import csv
import io
import json
import re

from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from rca_kit.views.escape import csv_cell, json_for_script, markdown, plotly_text, to_csv, visible

texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=40)


@given(texts)
@settings(max_examples=100, deadline=None)
def test_json_in_a_script_cannot_end_it_and_reads_back(text):
    written = json_for_script({"k": text})
    assert "<" not in written and ">" not in written and "\u2028" not in written
    assert json.loads(written) == {"k": text}


@given(texts)
@settings(max_examples=200, deadline=None)
def test_csv_never_starts_a_formula(text):
    cell = csv_cell(text)
    try:
        float(text)
    except ValueError:
        assert not cell.lstrip(" \n").startswith(("=", "+", "-", "@", "\t", "\r"))


@given(
    st.lists(
        st.fixed_dictionaries({"a": texts, "b": st.one_of(st.none(), st.floats(allow_nan=False), texts)}), min_size=1, max_size=5
    )
)
@settings(max_examples=50, deadline=None)
def test_csv_reads_back_with_as_many_cells(rows):
    read = list(csv.reader(io.StringIO(to_csv(rows), newline="")))
    assert len(read) == len(rows) + 1
    assert all(len(r) == 2 for r in read)


@given(texts)
@settings(max_examples=200, deadline=None)
def test_markdown_has_no_html_no_link_no_break(text):
    out = markdown(text)
    assert not re.search(r"<[^\s\d=]", out), "what follows may begin a tag"
    read = MarkdownIt("commonmark").parse(out)
    kinds = {t.type for token in read for t in (token, *(token.children or ()))}
    assert not kinds & {"html_inline", "html_block", "link_open", "image", "softbreak", "hardbreak"}
    assert "\n" not in out and "@" not in out
    bare = out.replace("\\\\", "")
    for sign in "[]`*|":
        assert all(bare[i - 1] == "\\" for i, c in enumerate(bare) if c == sign)


def test_formulas_of_all_kinds():
    for bad in ("=cmd()", "+1+1", "-2+3", "@SUM(A1)", "\t=1", " =1", "＝1"):
        assert csv_cell(bad).startswith("'")
    assert csv_cell("-5") == "-5" and csv_cell(-5) == "-5" and csv_cell("a=b") == "a=b"


def test_names_stay_readable_in_markdown():
    assert markdown("7.1% of requests") == "7.1% of requests" and markdown("7. one") == "7\\. one"
    assert markdown("device_type rose 0.5% -> 18% (v3)") == "device_type rose 0.5% -> 18% (v3)"


def test_invisible_characters_show():
    assert visible("a\u202eb\u200bc\x00") == "a<U+202E>b<U+200B>c<U+0000>"


def test_plotly_labels_hold_no_markup_and_no_template():
    out = plotly_text("<a href='x'>%{y} $x$</a>")
    assert "<" not in out and "%{" not in out and "$" not in out
