"""Fit the weights of the evidence ledger on generated incidents: `python benchmarks/fit_ledger.py --start 1000 --seeds 240`.

Each incident gives one choice: of all hypotheses that the clues allow, those that the answer key accepts are right. The
weights are the maximum a posteriori around what `prior.py` holds (ridge), so a weight moves only as far as incidents insist.
Fitting seeds and testing seeds must differ: benchmarks/incidents.py prints the accuracy on others.
"""

from __future__ import annotations

import argparse
import json
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from rca_kit.findings.suspects import CATEGORIES
from rca_kit.loop.reading.prepare import picture_of, prepare
from rca_kit.loop.s4_suspects import weigh_up
from rca_kit.loop.s4_suspects.prior import prior_weight
from rca_kit.loop.work import work
from rca_kit.sources import open_case
from rca_kit.stats.logit import Choice, fit, softmax
from rca_kit.training import Key, make_incident

ROOT = Path(__file__).resolve().parent.parent
WEIGHTS = ROOT / "rca_kit" / "loop" / "s4_suspects" / "weights.json"
CACHE = ROOT / ".benchdata" / "fit"
RIDGE = 0.3
# Fitted weights go half the way from the prior: on incidents of an independent generator that does better than all the way.
SHRINK = 0.5
# These mirror how our generator writes change logs (innocent entries say little, guilty ones tell a scope), not how people do.
KEPT_AT_PRIOR = (
    "sign:labels_moved",
    "category:config|frozen",
    "category:data|frozen",
    "category:config|score_function",
    *(f"unlogged:{c}" for c in CATEGORIES),  # one in five is not logged there, whatever it is
    *(f"machine:{c}" for c in CATEGORIES),
    "change:elsewhere",
    "change:aside",
    "unheeded",
    "carried_elsewhere",
    "change:words",
    "change:words_elsewhere",
    "change:scope_silent",
    "change:scope_narrow",
    "change:none",
    "change:other_component",
    "beside:broken|labels",
    "beside:missing|labels",
    "beside:scorer|labels",
    "beside:version|labels",
    "together:upstream",
    "version:logged",
)
FOLDS = 4
Row = tuple[str, str, str | None, dict[str, float]]


def hypotheses_of(seed: int) -> tuple[Key, list[Row]] | None:
    """Evidence of every hypothesis of one generated incident; None for what is not seen as an incident."""
    keys = CACHE / "keys" / f"{seed}.json"
    if keys.exists():
        key, folder = Key.load(keys), CACHE / f"GEN-{seed}"
    else:
        folder, key = make_incident(seed, out=CACHE)
        key.save(keys)
    if key.verdict != "incident":
        return None
    prepared = prepare(open_case(folder))
    done = work(prepared, picture_of(prepared))
    if done.suspects.verdict == "no_change":
        return None
    found = weigh_up(done.room, done.outcomes, done.scope, done.symptom)
    return (key, [(h.category, h.subject, h.change_id, h.x) for h in found]) if len(found) > 1 else None


def is_right(row: Row, key: Key) -> bool:
    """Whether the key accepts a hypothesis: category and change and, when nothing was logged, the subject."""
    category, subject, change, _ = row
    if not subject or category not in {key.category, *key.categories_ok}:
        return False
    logged = {c for c in (key.change_id, *key.changes_ok) if c}
    named = subject in {key.subject, *key.subjects_ok}
    return change in logged if logged else change is None and named


def choices(cases: list[tuple[Key, list[Row]]], names: list[str]) -> list[Choice]:
    """Matrices of evidence; where nothing is right, "something not logged or measured" is."""
    index = {n: i for i, n in enumerate(names)}
    out = []
    for key, rows in cases:
        x = np.zeros((len(rows), len(names)))
        for i, row in enumerate(rows):
            for name, value in row[3].items():
                if name in index:
                    x[i, index[name]] = value
        right = np.array([is_right(r, key) for r in rows])
        exact = right & np.array([r[1] in {key.subject, *key.subjects_ok} for r in rows])
        right = exact if exact.any() else right
        if not right.any():
            right[-1] = True
        out.append(Choice(x, right))
    return out


def accuracy(cases: list[tuple[Key, list[Row]]], weights: dict[str, float]) -> dict[str, float]:
    """Category and guilt of the first suspect, guilt among three, Brier score."""
    got = []
    for key, rows in cases:
        p = softmax(np.array([sum(weights.get(n, prior_weight(n)) * v for n, v in r[3].items()) for r in rows]))
        top = [rows[i] for i in np.argsort(-p[:-1])[:3]]
        logged = {c for c in (key.change_id, *key.changes_ok) if c}
        guilty = [t[2] in logged or (t[2] not in key.innocent and t[1] in {key.subject, *key.subjects_ok}) for t in top]
        got.append(
            (top[0][0] in {key.category, *key.categories_ok}, guilty[0], any(guilty), (float(p[:-1].max()) - guilty[0]) ** 2)
        )
    return dict(
        zip(("category", "first", "among three", "brier"), np.mean(np.array(got, float), axis=0).round(3).tolist(), strict=True)
    )


def fitted(cases: list[tuple[Key, list[Row]]], ridge: float) -> dict[str, float]:
    names = sorted({n for _, rows in cases for r in rows for n in r[3]})
    w = fit(choices(cases, names), np.array([prior_weight(n) for n in names]), ridge)
    return shrunk({n: float(x) for n, x in zip(names, w, strict=True)})


def shrunk(weights: dict[str, float]) -> dict[str, float]:
    """Go `SHRINK` of the way from the prior to what was fitted; leave out what hardly moves."""
    out = {n: prior_weight(n) + SHRINK * (w - prior_weight(n)) for n, w in weights.items() if n not in KEPT_AT_PRIOR}
    return {n: round(w, 3) for n, w in sorted(out.items()) if abs(w - prior_weight(n)) >= 0.01}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--start", type=int, default=1000)
    parser.add_argument("--seeds", type=int, default=240)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--ridge", type=float, default=RIDGE)
    parser.add_argument("--write", action="store_true", help="replace weights.json")
    args = parser.parse_args()
    with ProcessPoolExecutor(args.workers) as pool:
        cases: list[Any] = [c for c in pool.map(hypotheses_of, range(args.start, args.start + args.seeds)) if c is not None]
    folds = np.arange(len(cases)) % FOLDS
    held_out = []
    for f in range(FOLDS):
        weights = fitted([c for c, g in zip(cases, folds, strict=True) if g != f], args.ridge)
        held_out.append(accuracy([c for c, g in zip(cases, folds, strict=True) if g == f], weights))
    print(f"{len(cases)} incidents, ridge {args.ridge}")
    print("prior alone     ", accuracy(cases, {}))
    print("cross-validated ", {k: round(float(np.mean([h[k] for h in held_out])), 3) for k in held_out[0]})
    if args.write:
        note = {
            "fitted_on": f"generated incidents, seeds {args.start}..{args.start + args.seeds - 1}",
            "ridge": args.ridge,
            "shrink": SHRINK,
            "version": 2,
        }
        WEIGHTS.write_text(
            json.dumps({**note, "weights": fitted(cases, args.ridge)}, indent=1, sort_keys=True) + "\n", encoding="utf-8"
        )
        print(f"wrote {WEIGHTS.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
