"""Checks of the model: versions side by side, and the scoring function itself."""

from __future__ import annotations

import re

import numpy as np
import polars as pl
from numpy.typing import NDArray

from rca_kit.loop.s4_suspects.checks.recorded import one_score
from rca_kit.loop.s4_suspects.clue import Clue, Outcome
from rca_kit.loop.s4_suspects.room import Room, as_clues, numbers
from rca_kit.loop.s4_suspects.spread import of_one_kind
from rca_kit.loop.s4_suspects.surrogate import Gap, fit_gap
from rca_kit.loop.s4_suspects.units import ROW_MIN, usable
from rca_kit.stats.rates import mean_gap

Floats = NDArray[np.float64]

AS_BEFORE, LEANS = 1.12, 0.5  # error ratio up to which a surrogate misses as before; worth of a mere bias where inputs moved
LEAST_FIDELITY = 0.3  # R2 below which a surrogate says nothing about the scoring function
INPUT_MOVED = 0.2  # sigmas (or Cohen's h); inputs that move speak for a world that moves rather than for wrong labels
KNOWN_SHARE, REROUTED_LEAST = 0.005, 0.05  # a version that served before the onset, and points of traffic it gains
STEADY_SHARE, STEADY = 0.03, 0.4  # share of traffic that an old arm of a split holds; part of it that may come or go
STAND_INS = ("fallback", "fall-back", "backup", "baseline", "default", "heuristic", "rules", "champion-old", "legacy")
ALONE_LEAST = 0.2  # standard deviations by which scores must move by themselves
SCALED_PART = 0.05  # part of the requests that must have the other scale
SAME_SCALE, RESCALED = 0.1, 0.95  # part of the spread by which quantiles may miss the other scale; strength when they do not
ALL_OF_IT = 0.98  # share from which a version serves alone
# common classes whose answers are looked at; strength from which they are others, and where inputs moved to where rows were few
CLASSES_ASKED, OTHER_ANSWERS, OTHER_SURELY = 3, 0.5, 0.8
BESIDE_ROWS = 60  # rows of either with which two versions are compared
NEW_SHARE = 0.02  # share of traffic a version must hold to be looked at


def versions(room: Room) -> Outcome:
    """Model versions that came with the onset, and how they do beside the others at the same time."""
    title, column = "Model versions, side by side at the same time", room.columns.model_version
    if column is None:
        return Outcome("version", title, "model", "free", not_applicable="no model_version column")
    cube = room.picture.aggregates.cubes.get(f"segment:{column}")
    if cube is None:
        return Outcome("version", title, "model", "free", not_applicable="no model_version among the segments")
    grid = room.picture.grid
    counts = cube.by_value("n", grid.n_coarse)
    start = room.picture.start
    total = np.sum(list(counts.values()), axis=0)
    total_b, total_a = total[:start].sum(), total[start:].sum()
    clues = []
    for version, n in counts.items():
        if version is None or total_a == 0 or total_b == 0:
            continue
        share_a, share_b = n[start:].sum() / total_a, n[:start].sum() / total_b
        if share_a < NEW_SHARE or share_a - share_b < 0.01:
            continue
        first = int(np.flatnonzero(n)[0])
        name = f"share:{column}={version}"
        move = room.picture.moves.get(name)
        near = abs(first - start)
        gap = start - first
        is_new = share_b < 0.02 or (move is not None and move.moved and abs(move.fit.start - start) <= 2)
        if not is_new:
            continue
        harm, by_lot = _version_gap(room, column, str(version), (n > 0) & (n < total))
        late = gap * grid.coarse_s / 3600
        text = f"version {version}: {share_b:.1%} -> {share_a:.1%} of requests"
        facts = {"hours_before_onset": late, "share": float(share_a)}
        if share_b >= KNOWN_SHARE:
            facts["known"] = float(share_b)
        partly = np.flatnonzero((n < ALL_OF_IT * total) & (total > 0))
        if partly.size and partly[-1] + 1 < n.size:  # since when nothing else served
            facts["alone_since"] = float((partly[-1] + 1) * grid.coarse)
        if harm is not None:
            text += (
                f"; its requests do {'worse' if harm > 0 else 'no worse'} than other versions' at the same time (z {harm:+.1f})"
            )
            facts["side_by_side_z"] = harm
            facts["by_lot"] = float(by_lot)
        strength = float(np.clip(0.75 - 0.05 * near, 0.15, 0.75))
        if harm is not None:
            strength = float(np.clip(strength + 0.05 * harm, 0.05, 0.98))
        clues.append(
            Clue(
                "version",
                f"model:{version}",
                "version",
                text,
                strength,
                first * grid.coarse,
                float(share_a),
                None,
                {"column": column, "op": "in", "values": [str(version)]},
                facts,
            )
        )
    usual = str(max(counts, key=lambda v: counts[v][:start].sum(), default=""))
    for version, n in counts.items():
        share_a, share_b = n[start:].sum() / max(total_a, 1), n[:start].sum() / max(total_b, 1)
        move = room.picture.moves.get(f"share:{column}={version}")
        stand_in = any(w in str(version).lower() for w in STAND_INS)  # what requests fall back to is a matter of routing
        long_known = float(n[: start // 2].sum()) > 0  # one that came lately is being rolled out
        known = ((share_b >= KNOWN_SHARE and long_known) or stand_in) and len(counts) > 1
        retired = older(str(version), usual)  # nobody releases what came before: requests were sent there
        stand_in = stand_in or retired or (known and _always_there(n[:start], total[:start]))
        off = move.fit.start - start if move is not None and move.moved else None
        began = off is not None and (abs(off) <= 2 or (retired and off > 0))
        if (known or retired) and share_a - share_b > REROUTED_LEAST and began:
            clues.append(
                Clue(
                    "routing",
                    "routing",
                    "rerouted",
                    f"version {version} {_stands(retired, stand_in)}: {share_b:.1%} -> {share_a:.1%} of requests",
                    room.strength(f"share:{column}={version}"),
                    None,
                    float(share_a),
                    None,
                    {"column": column, "op": "in", "values": [str(version)]},
                    {"stand_in": float(stand_in)},
                )
            )
    return Outcome("version", title, "model", "free", as_clues(clues), "no version gained traffic around the onset")


def _stands(retired: bool, stand_in: bool) -> str:
    return "is an older one" if retired else "stands in" if stand_in else "was known"


def older(version: str, than: str) -> bool:
    """Whether a version comes before another by the numbers in their names, which are else the same.

    Examples
    --------
    >>> older("ranker-5.1", "ranker-5.3"), older("2.10", "2.9"), older("blue", "green")
    (True, False, False)
    """
    numbers = [tuple(int(x) for x in re.findall(r"\d+", v)) for v in (version, than)]
    words = [re.sub(r"\d+", "#", v) for v in (version, than)]
    return words[0] == words[1] and len(numbers[0]) == len(numbers[1]) and numbers[0] < numbers[1]


def _always_there(n: Floats, total: Floats) -> bool:
    """Whether a version answered its steady part of the requests since the log begins: what grows then is no rollout."""
    half = n.size // 2
    if half == 0 or min(total[:half].sum(), total[half:].sum()) == 0:
        return False
    early, late = n[:half].sum() / total[:half].sum(), n[half:].sum() / total[half:].sum()
    return bool(early >= STEADY_SHARE and n[: max(half // 2, 1)].sum() > 0 and abs(late - early) <= STEADY * max(early, late))


def _version_gap(room: Room, column: str, version: str, both: NDArray[np.bool_]) -> tuple[float | None, bool]:
    """Give z of the new version's loss against the other versions' in coarse buckets where both served; None without enough rows.

    And whether its requests are of the same kinds as theirs. A rollout may have begun well before it showed.
    """
    grid = room.picture.grid
    rows = pl.concat([room.before, room.after], how="diagonal_relaxed")
    at = ((rows[room.columns.time] - grid.origin).dt.total_seconds() // grid.coarse_s).to_numpy().astype(int)
    rows = rows.filter(pl.Series(both[np.clip(at, 0, grid.n_coarse - 1)]))
    loss = room.loss(rows)
    if loss is None:
        return None, False
    mine = (rows[column].cast(pl.String) == version).fill_null(False).to_numpy()
    ok = np.isfinite(loss)
    x, y = loss[ok & mine], loss[ok & ~mine]
    if min(x.size, y.size) < BESIDE_ROWS:
        return None, False
    gap, error = mean_gap(x, y)
    if error <= 0:
        return None, False
    kinds = [s for s in room.columns.segments if s != column]
    by_lot = of_one_kind(rows.filter(pl.Series(mine & ok)), rows.filter(pl.Series(ok & ~mine)), kinds)
    return gap / error, by_lot


def scoring(room: Room) -> Outcome:
    """Whether the same served features now give other scores: a surrogate of the scorer, fitted before, checked after."""
    title, c = "Scores for the same served features", room.columns
    if c.score is None or len(c.features) < 2:
        return Outcome("score_function", title, "model", "seconds", not_applicable="needs a score and at least two features")
    answered = _other_answers(room)
    if answered is not None:
        return Outcome("score_function", title, "model", "seconds", (answered,))
    scores = (numbers(room.before, c.score), numbers(room.after, c.score))
    stand_in = one_score(*(usable(s) for s in scores))
    if stand_in is not None:  # one score for all fits no features: the scorer is asked of the others
        scores[1][scores[1] == stand_in[0]] = np.nan
    gap = fit_gap(room.before, room.after, c.features, *scores, groups=c.model_version)
    if gap is None:
        return Outcome("score_function", title, "model", "seconds", not_applicable="too few scored rows before or after")
    if gap.fidelity < LEAST_FIDELITY:
        alone = _scores_alone(room)
        if alone is not None:
            return Outcome("score_function", title, "model", "seconds", (alone,))
        return Outcome(
            "score_function",
            title,
            "model",
            "seconds",
            not_applicable=f"served features explain only {gap.fidelity:.0%} of the score",
        )
    rescaled = _scale(room)
    if rescaled:
        clue = Clue("score_function", "model:", "unit", rescaled, RESCALED, facts={"ratio": gap.ratio})
        return Outcome("score_function", title, "code", "seconds", (clue,))
    facts = {"fidelity": gap.fidelity, "ratio": gap.ratio, "shift": gap.shift, "z": gap.z}
    text = (
        f"a surrogate of the scorer (R2 {gap.fidelity:.2f} before) misses by {gap.ratio:.2f}x as much after, "
        f"bias {gap.shift:+.2f} residual s.d."
    )
    strength = gap.strength
    if gap.ratio < AS_BEFORE and inputs_moved(room):  # scores that lean by as much as trees do where they saw few rows
        strength *= LEANS
    if strength < 0.3:
        return Outcome("score_function", title, "model", "seconds", clear=f"the same features give the same scores ({text})")
    if gap.odd is None:
        clue = Clue("score_function", "model:", "score_function", text, strength, facts=facts)
    else:  # the others served at the same time score as before: it is this version
        where = {"column": c.model_version, "op": "in", "values": [gap.odd]}
        text = f"of version {gap.odd} alone, {text}"
        clue = Clue("score_function", f"model:{gap.odd}", "score_function", text, strength, where=where, facts=facts)
    return Outcome("score_function", title, "model", "seconds", (clue,))


def _other_answers(room: Room) -> Clue | None:
    """Of a choice among classes: whether the same served features are given another class; how sure the model is says less."""
    c = room.columns
    if c.task != "multiclass" or c.decision is None or not {c.decision} <= set(room.before.columns) & set(room.after.columns):
        return None
    sides = [f[c.decision].cast(pl.String) for f in (room.before, room.after)]
    common = sides[0].drop_nulls().value_counts(name="rk_n").sort(["rk_n", c.decision], descending=[True, False])
    best: tuple[float, str, Gap] | None = None
    for name in common[c.decision].head(CLASSES_ASKED).to_list():
        given, now = ((s == name).cast(pl.Float64).to_numpy().astype(float) for s in sides)
        gap = fit_gap(room.before, room.after, c.features, given, now, groups=c.model_version)
        if gap is not None and gap.fidelity >= LEAST_FIDELITY and (best is None or gap.strength > best[0]):
            best = gap.strength, name, gap
    if best is None or best[0] < OTHER_ANSWERS or (best[0] < OTHER_SURELY and inputs_moved(room)):
        return None
    strength, name, gap = best
    text = f"a surrogate of who is answered {name!r} (R2 {gap.fidelity:.2f} before) misses by {gap.ratio:.2f}x as much after"
    facts = {"fidelity": gap.fidelity, "ratio": gap.ratio, "shift": gap.shift, "z": gap.z, "answers": 1.0}
    where = {"column": c.model_version, "op": "in", "values": [gap.odd]} if gap.odd is not None else None
    return Clue("score_function", f"model:{gap.odd or ''}", "score_function", text, strength, where=where, facts=facts)


def inputs_moved(room: Room) -> bool:
    """Whether any feature moved by an amount that may move scores, or the mix of requests did."""
    changed = [c for n, c in room.compared.items() if n not in room.clocks and c.changed and abs(c.effect) >= INPUT_MOVED]
    return bool(changed or room.inside or room.moved("mix", "nulls"))


def _scores_alone(room: Room) -> Clue | None:
    """Scores that moved while no feature did, where the features say too little of a score for a surrogate."""
    r = room.readings.get("score_mean")
    if r is None or not r.moved or r.change is None or inputs_moved(room):
        return None
    spread = float(np.nanstd(numbers(room.before, room.columns.score or "")))
    moved = abs(r.change) / spread if spread > 0 else 0.0
    if moved < ALONE_LEAST:
        return None
    text = f"scores moved by {moved:.1f} s.d. ({r.before:.3g} -> {r.after:.3g}) while no feature did"
    return Clue("score_function", "model:", "score_function", text, float(moved / (moved + 0.3)), room.onset("score_mean"))


def _scale(room: Room) -> str:
    """How the scores after read as those of before on another scale; empty where they do not.

    A model that was exchanged gives other scores; percentages for shares, or the odds turned round, are made by code.
    """
    name = room.columns.score or ""
    b, a = (np.sort(usable(numbers(f, name))) for f in (room.before, room.after))
    if min(b.size, a.size) < ROW_MIN or b[0] == b[-1]:
        return ""
    at = np.linspace(0.05, 0.95, 19)
    was, now = b[(at * (b.size - 1)).astype(int)], a[(at * (a.size - 1)).astype(int)]
    spread = float(was[-1] - was[0])
    if spread <= 0:
        return ""
    for factor in (100.0, 1000.0, 0.01, 0.001):
        if np.abs(now / factor - was).max() < SAME_SCALE * spread:
            return f"scores after are x{factor:g} those before"
    part = a[a > b[-1] + spread]  # a part of the requests only: a rollout, one client
    if part.size >= ROW_MIN and part.size >= SCALED_PART * a.size:
        then = part[(at * (part.size - 1)).astype(int)]
        for factor in (100.0, 1000.0):
            if np.abs(then / factor - was).max() < 2 * SAME_SCALE * spread:
                return f"scores after are x{factor:g} those before, in {part.size / a.size:.0%} of requests"
    turned = np.abs(1 - now[::-1] - was).max() < SAME_SCALE * spread and np.abs(was - now).max() > spread / 2
    return "scores after are 1 less those before" if turned and b[0] >= 0 and b[-1] <= 1 else ""
