"""Answers of two versions, paired by request: what could be paired, and what kind of answers they are."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from rca_kit.errors import BadInput, did_you_mean
from rca_kit.findings.shadow import NamedRows, Pairing
from rca_kit.loop.tables import numbers, to_polars
from rca_kit.sources.frames import is_path, kind_of, to_lazy
from rca_kit.sources.requests import fetch_requests

KINDS = ("probability", "score", "class", "text", "json", "ranking")
PARSED_SHARE = 0.9  # share of texts that must parse for a column to count as numbers or as JSON; the rest is rubbish
CLASS_VALUES = 30  # more distinct short texts than this are free text
CLASS_LENGTH = 40  # characters
PROBED = 2000  # rows looked at to tell the kind


def at_hand(table: Any, id: str | None, primary: str, candidate: str) -> tuple[pl.DataFrame, str]:
    """Hold a shadow table, or what is drawn of one that is too large for that; and what was drawn."""
    if is_path(table) or kind_of(table).lazy:
        return fetch_requests(to_lazy(table), id, (primary, candidate))
    return to_polars(table, name="the shadow table"), ""


@dataclass(frozen=True)
class Pairs:
    """Rows with an answer of both versions; numeric answers as floats, others as lists; NaN or None for no secondary answer.

    `frame` holds all columns of the same rows.
    """

    kind: str
    frame: pl.DataFrame
    primary: Any
    candidate: Any
    secondary: Any
    errors: tuple[NDArray[np.bool_], NDArray[np.bool_]] | None  # of all requests: primary failed, candidate failed
    counts: NamedRows[Pairing]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return self.frame.height


def pair(
    table: Any,
    primary: str,
    candidate: str,
    secondary: str | None,
    id: str | None,
    kind: str | None = None,
    errors: Mapping[str, str] | None = None,
) -> Pairs:
    """Read a shadow table, one row per request, and keep the rows that both versions answered.

    Rows delivered twice count once (for each column the first value that is there); a row without an id is a request of
    its own. An answer that is null, not finite or not of the column's kind is a failure of that version.
    """
    frame, drawn = at_hand(table, id, primary, candidate)
    for name in (primary, candidate, *([secondary] if secondary else [])):
        if name not in frame.columns:
            raise BadInput(
                "the shadow table has no such column",
                column=name,
                found=", ".join(frame.columns),
                hint=did_you_mean(name, frame.columns),
            )
    rows = frame.height
    frame = _once(frame, id)
    named = [primary, candidate] + ([secondary] if secondary and secondary != candidate else [])
    kind = kind or infer_kind(frame, named)
    if kind not in KINDS:
        raise BadInput("kind of answers not known", found=kind, expected=", ".join(KINDS), hint=did_you_mean(kind, KINDS))
    parsed = {name: parse(frame[name], kind) for name in named}
    has = {name: _present(values) for name, values in parsed.items()}
    failed = {name: _failed(frame[column]) for name, column in (errors or {}).items()}
    for name, rows_failed in failed.items():
        has[name] &= ~rows_failed
    both = has[primary] & has[candidate]
    counts = [
        Pairing("rows", rows),
        Pairing("pairs", int(both.sum())),
        Pairing("duplicates", rows - frame.height),
        Pairing("primary_unanswered", int((~has[primary]).sum())),
        Pairing("candidate_unanswered", int((~has[candidate]).sum())),
        Pairing("unmatched", int((has[primary] ^ has[candidate]).sum())),
    ]
    if secondary:
        counts.append(Pairing("secondary_unanswered", int((~has[secondary] & both).sum())))
    keep = np.flatnonzero(both)
    return Pairs(
        kind,
        frame[keep],
        take(parsed[primary], keep),
        take(parsed[candidate], keep),
        take(parsed[secondary], keep) if secondary else None,
        (failed[primary], failed[candidate]) if primary in failed and candidate in failed else None,
        NamedRows(counts),
        (drawn,) if drawn else (),
    )


def pair_logs(
    primary: Any, candidate: Any, secondary: Any = None, *, id: str = "request_id", score: str = "score", keep: Sequence[str] = ()
) -> pl.DataFrame:
    """Join the request logs of two versions into a shadow table, for `compare_shadow`.

    Parameters
    ----------
    primary, candidate, secondary : table
        One log per version; `secondary` is a second answer of the primary version.
    id, score : str
        Name of the request id and of the answer in each log.
    keep : sequence of str
        Columns of the primary log to carry along (segments, label).

    Returns
    -------
    polars.DataFrame
        Columns `request_id, primary, candidate, secondary` and those of `keep`, one row per request of any log; the first
        answer counts where a log holds a request twice.

    Examples
    --------
    >>> a = pl.DataFrame({"request_id": [1, 2], "score": [0.1, 0.2]})
    >>> b = pl.DataFrame({"request_id": [2, 3], "score": [0.3, 0.4]})
    >>> pair_logs(a, b).sort("request_id")["candidate"].to_list()
    [None, 0.3, 0.4]
    """

    def log(table: Any, name: str, extra: Sequence[str] = ()) -> pl.DataFrame:
        frame = to_polars(table, [id, score, *extra], name=f"the {name} log")
        return frame.rename({id: "request_id", score: name}).unique("request_id", keep="first", maintain_order=True)

    out = log(primary, "primary", [k for k in keep if k not in (id, score)])
    for name, table in (("candidate", candidate), ("secondary", secondary)):
        if table is not None:
            out = out.join(log(table, name), on="request_id", how="full", coalesce=True, maintain_order="left_right")
    return out


def _once(frame: pl.DataFrame, id: str | None) -> pl.DataFrame:
    """Keep each request once; rows without an id stay as they are."""
    if not id or id not in frame.columns:
        return frame
    doubled = frame[id].is_duplicated() & frame[id].is_not_null()
    if not doubled.any():
        return frame
    merged = frame.filter(doubled).group_by(id, maintain_order=True).agg(pl.all().drop_nulls().first())
    return pl.concat([frame.filter(~doubled), merged.select(frame.columns)])


def infer_kind(frame: pl.DataFrame, names: Sequence[str]) -> str:
    """Tell what kind of answers columns hold, the first of them deciding.

    Examples
    --------
    >>> infer_kind(pl.DataFrame({"p": [0.2, 0.7]}), ["p"])
    'probability'
    """
    column = frame[names[0]]
    if column.dtype == pl.Boolean or column.dtype in (pl.Categorical, pl.Enum):
        return "class"
    if isinstance(column.dtype, (pl.List, pl.Array)):
        return "ranking"
    if isinstance(column.dtype, pl.Struct):
        return "json"
    if column.dtype == pl.String:
        texts = column.drop_nulls().head(PROBED)
        if len(texts) and texts.cast(pl.Float64, strict=False).is_not_null().mean() >= PARSED_SHARE:  # type: ignore[operator]
            return _numeric_kind(frame, names)
        documents = [_json(t) for t in texts.to_list()]
        if documents and np.mean([d is not None for d in documents]) >= PARSED_SHARE:
            lists = all(d is None or (isinstance(d, list) and not any(isinstance(x, (dict, list)) for x in d)) for d in documents)
            return "ranking" if lists else "json"
        short = len(texts) == 0 or texts.str.len_chars().max() <= CLASS_LENGTH  # type: ignore[operator]
        return "class" if short and column.n_unique() <= max(CLASS_VALUES, 2) else "text"
    if column.dtype.is_numeric():
        return _numeric_kind(frame, names)
    raise BadInput(
        "answers of this type cannot be compared",
        column=names[0],
        found=str(column.dtype),
        expected="numbers, booleans, texts, lists or structs",
    )


def _numeric_kind(frame: pl.DataFrame, names: Sequence[str]) -> str:
    values = np.concatenate(
        [
            numbers(frame[n])
            for n in names
            if frame[n].dtype == pl.String or frame[n].dtype.is_numeric() or frame[n].dtype == pl.Boolean
        ]
    )
    values = values[~np.isnan(values)]
    if len(values) and np.isin(values, (0.0, 1.0)).all():
        return "class"
    return "probability" if len(values) and values.min() >= 0 and values.max() <= 1 else "score"


def parse(column: pl.Series, kind: str) -> Any:
    """Answers of one kind: an array of floats (NaN: no answer), or a list (None: no answer)."""
    if kind in ("probability", "score"):
        return numbers(column)
    if kind == "class":
        if column.dtype.is_numeric() or column.dtype == pl.Boolean:
            # 0, 0.0 and False are the same decision whatever type each log gave it
            column = column.cast(pl.Float64).fill_nan(None).cast(pl.String)
        return np.asarray(column.cast(pl.String).to_list(), dtype=object)
    values = column.to_list()
    if kind == "text":
        values = [None if v is None else str(v) for v in values]
    elif column.dtype == pl.String:
        values = [_json(v) for v in values]
        if kind == "ranking":
            values = [v if isinstance(v, list) else None for v in values]
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out


def _json(text: str | None) -> Any:
    if not text or text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        return json.loads(text)
    except ValueError:
        return None


def _failed(column: pl.Series) -> NDArray[np.bool_]:
    """Read an error column: a flag, or a text that is null (or empty) when all went well."""
    if column.dtype == pl.Boolean or column.dtype.is_numeric():
        return column.fill_null(0).cast(pl.Boolean).to_numpy()
    return (column.cast(pl.String).fill_null("") != "").to_numpy()


def _present(values: Any) -> NDArray[np.bool_]:
    if values.dtype == object:
        return np.fromiter((v is not None for v in values), dtype=bool, count=len(values))
    out: NDArray[np.bool_] = ~np.isnan(values)
    return out


def take(values: Any, rows: NDArray[np.intp]) -> Any:
    """Give the values of some rows."""
    return values[rows]
