"""Checks of categorical columns: new, vanished, renamed and permuted values, defaults filled in."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from rca_kit.loop.s4_suspects.checks.newcomers import of_newcomers, worst_arm
from rca_kit.loop.s4_suspects.checks.permuted import (
    SEEN_BEFORE,
    counted,
    kept_labels,
    permuted,
    permuted_among_new,
    permuted_inside,
    permuted_partly,
    permuted_with_labels,
    whose_place,
)
from rca_kit.loop.s4_suspects.checks.values import growth, imputed
from rca_kit.loop.s4_suspects.clue import Clue, Outcome
from rca_kit.loop.s4_suspects.room import Room, as_clues
from rca_kit.loop.s4_suspects.signatures import is_arm
from rca_kit.loop.s4_suspects.spread import ARM_Z
from rca_kit.stats.drift.spelling import part_of_name, same_under_mapping
from rca_kit.stats.rates import rate_z

MAX_CODES = 20  # whole numbers with more values than this are quantities
REST_MOVED, REST_NOISE = 0.3, 0.02  # of the filled share, and by chance in thousands of rows, that the other values may move
DILUTED = 0.1  # ... and at most, where guests dilute them
USUAL_DEFAULT = 0.2  # share before from which "n/a" and the like are an answer of their own and grow with those who give it
TEXT_LENGTH, TEXT_BLANKS = 40, 3  # characters, and blanks, on average beyond which values are sentences, not names
# part of its share after up to which a value is new, and part of the rows before, the first ones, that must not show it
SEEN_PART, EARLY = 0.05, 0.75
USUALLY_NEW = 2.0  # times the share of requests with a value that was new in the second half of before
PLACE_LEAST = 0.5  # part of a longer or shorter name's share that the old name must have lost: else both are names
MOSTLY_GONE, PLACE_PART = 0.5, 0.15  # part of its share left to a value that another replaced; part by which shares may differ
RARE_VALUE = 0.01  # share of a value that is too rare to be told by its share
LEFT_OVER = 0.1  # part of its share that a value may keep and be gone
ARMS_TOLD = 3  # new arms that are named with their shares, the smallest first
NO_ARM = "(no arm)"  # for those whom no experiment is about
ROW_MIN = 200  # sampled rows a side needed to speak of shares of a few per cent


def categories(room: Room) -> Outcome:
    """Categorical features: new, vanished, renamed, permuted values, a default filled in."""
    clues = []
    for column in dict.fromkeys((*room.columns.features, *room.columns.segments)):
        if column == room.columns.model_version or column in room.clocks or not _categorical(room.before[column]):
            continue
        clue = _category(room, column)
        if clue is not None:
            clues.append(imputed(room, clue))
    return Outcome(
        "categories",
        "New, vanished, renamed and permuted categories",
        "upstream",
        "free",
        as_clues(clues),
        "categorical columns keep their values",
    )


def _categorical(s: pl.Series) -> bool:
    """Text and flags; whole numbers only when they are few enough to be codes."""
    return not s.dtype.is_float() and (not s.dtype.is_numeric() or s.n_unique() <= MAX_CODES) and not s.dtype.is_temporal()


def _category(room: Room, column: str) -> Clue | None:
    b, a = (f[column].cast(pl.String) for f in (room.before, room.after))
    b, a = (s.fill_null(NO_ARM) if is_arm(column) else s.drop_nulls() for s in (b, a))
    if min(b.len(), a.len()) < ROW_MIN or b.n_unique() > 0.3 * b.len() or _sentences(b):
        return None
    nb, na = (counted(s) for s in (b, a))
    # the last requests before may be of after: an onset is known to an hour or two
    early = set(b.head(int(EARLY * b.len())).unique().to_list())
    few = {v for v in na if nb.get(v, 0) / b.len() <= min(SEEN_BEFORE, SEEN_PART * na[v] / a.len())}
    fresh = {v: n for v, n in na.items() if v in few and v not in early and v != NO_ARM}
    gone = {v: n for v, n in nb.items() if v not in na and n / b.len() > 5 / a.len()}
    fresh_share = sum(fresh.values()) / a.len()
    gone_share = sum(gone.values()) / b.len()
    z = rate_z(0.5, b.len(), fresh_share * a.len(), a.len())
    if fresh_share > 0.005 and z > 5 and fresh_share > USUALLY_NEW * _new_by_itself(b):
        missed = {v: n / b.len() - na.get(v, 0) / a.len() for v, n in nb.items()}
        pairs = [
            (o, n) for o, n in same_under_mapping(tuple(v for v in nb if v not in fresh), tuple(fresh))
            if not part_of_name(o, n) or missed[o] >= PLACE_LEAST * fresh[n] / a.len()
        ]
        listed = list(fresh)
        bad = room.after[column].cast(pl.String).is_in(listed).fill_null(False).to_numpy()
        harm = room.harm(np.zeros(room.before.height, bool), bad)
        where = {"column": column, "op": "in", "values": listed[:50]}
        strength = float(z / (z + 5))
        if pairs and sum(fresh[n] for _, n in pairs) > 0.5 * sum(fresh.values()):
            text = ", ".join(f"{o} -> {n}" for o, n in pairs[:3])
            return Clue(
                "renamed_categories",
                f"feature:{column}",
                "renamed",
                f"{column}: the same values under other names ({text})",
                max(strength, 0.8),
                None,
                fresh_share,
                harm,
                where,
            )
        if is_arm(column):  # who is given what by lot is configured here, and no guest
            arms = ", ".join(f"{v!r} in {n / a.len():.1%}" for v, n in sorted(fresh.items(), key=lambda x: x[1])[:ARMS_TOLD])
            text = f"{column}: new arm{'s' if len(fresh) > 1 else ''} {arms} of requests"
            worst = worst_arm(room, column, listed)
            facts = {"beside_z": worst[0]} if worst is not None else {}
            if worst is not None and worst[0] >= ARM_Z:  # the others are as they were
                text += f"; in {worst[1]!r} the answers are worse than in the others by {worst[0]:.1f} standard errors"
                where = {"column": column, "op": "in", "values": [worst[1]]}
            elif worst is not None:
                text += "; the answers are no worse there than chance makes them"
            return Clue("new_categories", "routing", "rerouted", text, strength, None, fresh_share, harm, where, facts)
        name, all_other = max(fresh, key=lambda v: fresh[v]), _one_for_one(nb, na, fresh) and not _came_on_top(room, fresh_share)
        kind = (
            "default"
            if _looks_default(name) and (column not in room.columns.segments or not _came_on_top(room, fresh_share))
            else (
                "renamed"
                if gone_share > 0.5 * fresh_share
                or _took_place(nb, na, fresh)
                or all_other
                or _replaced_inside(room, column, listed)
                else "new_category"
            )
        )
        guests = kind == "new_category" and column in room.columns.segments and _diluted(nb, na, fresh)
        return Clue(
            "new_categories",
            "population" if guests else f"feature:{column}",
            kind,
            f"{column}: {name!r} and {len(fresh) - 1} more new values in {fresh_share:.1%} of requests"
            if len(fresh) > 1
            else f"{column}: new value {name!r} in {fresh_share:.1%} of requests",
            strength,
            None,
            fresh_share,
            harm,
            where,
            facts=of_newcomers(room, column, bad) if kind == "new_category" else {"all_other": float(all_other)},
        )
    return _reshuffled(room, column, nb, na) or permuted_inside(room, column) or permuted_among_new(room, column)


def _new_by_itself(before: pl.Series) -> float:
    """Share of the later rows of before whose value none of the earlier ones had: of customers some are always new."""
    half = before.len() // 2
    return float((~before.tail(half).is_in(before.head(half).unique().implode())).sum()) / max(half, 1)


def _diluted(nb: dict[str, int], na: dict[str, int], fresh: dict[str, int]) -> bool:
    """Whether all values that were there kept their proportions: those who came took nobody's place."""
    old = [v for v in nb if v not in fresh]
    p, q = (np.array([float(n.get(v, 0)) for v in old]) for n in (nb, na))
    if p.sum() <= 0 or q.sum() <= 0:
        return False
    new, p, q = sum(fresh.values()) / sum(na.values()), p / p.sum(), q / q.sum()
    return bool(0.5 * np.abs(p - q).sum() <= min(REST_MOVED * new, DILUTED) + REST_NOISE)


def _took_place(nb: dict[str, int], na: dict[str, int], fresh: dict[str, int]) -> bool:
    """Whether new values took the place of old ones, of which most are gone, and all others kept their shares.

    Where some hosts still write the old names none of these is gone.
    """
    tb, ta = sum(nb.values()), sum(na.values())
    p, q = (np.array([n.get(v, 0) / t for v in nb if v not in fresh]) for n, t in ((nb, tb), (na, ta)))
    new = sum(fresh.values()) / ta
    left, noise = q <= MOSTLY_GONE * p, np.sqrt(p * (1 - p) * (1 / tb + 1 / ta))
    if not left.any() or left.all():
        return False
    missed = float((p - q)[left].sum())
    spread = 3 * float(np.sqrt((noise[left] ** 2).sum() + new * (1 - new) / ta))
    others = 0.5 * float(np.abs(p - q)[~left].sum())
    return abs(missed - new) <= PLACE_PART * new + spread and others <= PLACE_PART * new + float(noise[~left].sum())


def _one_for_one(nb: dict[str, int], na: dict[str, int], fresh: dict[str, int]) -> bool:
    """Whether there is a new value for each old one, as common among the new as the old was among the old: other names for all.

    Some hosts, or a part of the requests, may keep the old names.
    """
    tb, new = sum(nb.values()), sum(fresh.values())
    p = np.sort([n / tb for v, n in nb.items() if v not in fresh and n >= RARE_VALUE * tb])
    q = np.sort([n / new for n in fresh.values() if n >= RARE_VALUE * new])
    if p.size != q.size or p.size < (2 if new > PLACE_LEAST * sum(na.values()) else 3):
        return False
    p, q = p / p.sum(), q / q.sum()
    return bool((np.abs(p - q) <= PLACE_PART * p + 3 * np.sqrt(p * (1 - p) * (1 / tb + 1 / new))).all())


def _replaced_inside(room: Room, column: str, fresh: list[str]) -> bool:
    """Whether, in the one segment that a column moved in, values that were not there before took the place of some that were."""
    here = room.inside.get(column)
    if here is None or min(int(here.after.sum()), int(here.before.sum())) < ROW_MIN:
        return False
    was, now = room.before[column].cast(pl.String).filter(here.before), room.after[column].cast(pl.String)
    new = now.is_in(fresh).fill_null(False).to_numpy()
    after = dict(now.filter(here.after).drop_nulls().value_counts(normalize=True, name="rk_n").iter_rows())
    before = was.drop_nulls().value_counts(normalize=True, name="rk_n").iter_rows()
    gone = sum(p for v, p in before if after.get(v, 0.0) <= LEFT_OVER * p)
    came, beside = float(new[here.after].mean()), float(new[~here.after].mean())
    return came > 0 and beside <= LEFT_OVER * came and gone > 0.5 * came


def _sentences(s: pl.Series) -> bool:
    """Whether values are sentences rather than names."""
    return float(s.str.len_chars().mean() or 0) > TEXT_LENGTH or float(s.str.count_matches(" ").mean() or 0) >= TEXT_BLANKS  # type: ignore[arg-type]


def _came_on_top(room: Room, share: float) -> bool:
    """Whether traffic grew by about the requests with a new value: these may be guests, and took nobody's place."""
    return 1 - 1 / max(growth(room), 1.0) >= share / 2


def _looks_default(name: str) -> bool:
    return not name.strip("?-_.# ") or name.strip().lower() in (
        "",
        "unknown",
        "other",
        "none",
        "null",
        "nan",
        "n/a",
        "na",
        "default",
        "missing",
        "undefined",
        "-1",
        "0",
        "?",
    )


def _reshuffled(room: Room, column: str, nb: dict[str, int], na: dict[str, int]) -> Clue | None:
    """Shares changed a lot among the same values: one value took over, or the values swapped places."""
    values = sorted(nb)
    tb, ta = sum(nb.values()), sum(na.values())
    p, q = np.array([nb[v] / tb for v in values]), np.array([na.get(v, 0) / ta for v in values])
    if values.__len__() < 2:
        return None
    i = int(np.argmax(q - p))
    z = rate_z(p[i] * tb, tb, q[i] * ta, ta)
    if z > 6 and q[i] - p[i] > 0.03 and p[i] <= USUAL_DEFAULT and _looks_default(values[i]) and _rest_as_before(p, q, i):
        bad = (room.after[column].cast(pl.String) == values[i]).fill_null(False).to_numpy()
        return Clue(
            "default_value",
            f"feature:{column}",
            "default",
            f"{column}: {values[i]!r} {p[i]:.1%} -> {q[i]:.1%} of requests",
            float(z / (z + 5)),
            None,
            float(q[i] - p[i]),
            room.harm(np.zeros(room.before.height, bool), bad),
            {"column": column, "op": "in", "values": [values[i]]},
        )
    whole = permuted(column, nb, na)
    if whole is not None and kept_labels(room, column, nb, whose_place(nb, na)):
        whole = None
    return whole or permuted_partly(room, column, nb, na) or permuted_with_labels(room, column, nb, na)


def _rest_as_before(p: NDArray[np.float64], q: NDArray[np.float64], i: int) -> bool:
    """Whether the other values kept their proportions: a default takes from all alike, a drift takes from the far end."""
    filled = (q[i] - p[i]) / (1 - p[i])
    rest_p, rest_q = np.delete(p, i) / (1 - p[i]), np.delete(q, i) / max(1 - q[i], 1e-9)
    return bool(0.5 * np.abs(rest_p - rest_q).sum() <= REST_MOVED * filled + REST_NOISE)
