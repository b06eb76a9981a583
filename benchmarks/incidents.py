"""Accuracy on fresh generated incidents: one table per category, one per mechanism, one line per failure.

python benchmarks/incidents.py --seeds 100 --start 1000 --workers 1 --json out.json
Cases are cached under .benchdata/incidents by a hash of the generator's sources; findings are computed anew each time.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
import traceback
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import fmean
from typing import Any

import rca_kit
from rca_kit.training import Key, make_incident, score_case
from rca_kit.training.incident import make_plan
from rca_kit.training.logs import read_log
from rca_kit.training.samples import make_sample
from rca_kit.training.scenarios import SCENARIOS

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".benchdata" / "incidents"
# figure, goal as text, whether it is met
GOALS = (
    ("verdict, mean of 3 recalls", ">= 0.95", lambda x: x >= 0.95),
    ("false alarms on quiet cases", "<= 0.03", lambda x: x <= 0.03),
    ("missed incidents", "<= 0.05", lambda x: x <= 0.05),
    ("onset within tolerance", ">= 0.90", lambda x: x >= 0.90),
    ("scope rows F1 (segment cases)", ">= 0.90", lambda x: x >= 0.90),
    ("category of first suspect", ">= 0.85", lambda x: x >= 0.85),
    ("first names guilty", ">= 0.80", lambda x: x >= 0.80),
    ("guilty among first three", ">= 0.95", lambda x: x >= 0.95),
    ("innocent change blamed first", "<= 0.10", lambda x: x <= 0.10),
    ("Brier of first suspect", "<= 0.12", lambda x: x <= 0.12),
    ("seconds per case (mean)", "<= 5", lambda x: x <= 5),
)


def fingerprint() -> str:
    """Hash of the generator's sources: a changed generator makes new cases."""
    h = hashlib.blake2b(digest_size=6)
    for f in sorted((ROOT / "rca_kit" / "training").rglob("*.py")):
        if f.name not in ("scoring.py", "samples.py", "__init__.py") or "mechanisms" in f.parts:
            h.update(f.read_bytes())
    return h.hexdigest()


def case_of(seed: int, mechanism: str | None, rows: int | None, cache: Path) -> tuple[Path, Key]:
    tag = f"{mechanism or 'any'}-{rows or 0}"
    folder, key_file = cache / tag / f"GEN-{seed}", cache / tag / "keys" / f"{seed}.json"
    if key_file.exists():
        return folder / mechanism if mechanism in SCENARIOS else folder, Key.load(key_file)
    if mechanism in SCENARIOS:
        folder, key = make_sample(mechanism, cache / tag / f"GEN-{seed}", seed)
    else:
        folder, key = make_incident(seed, mechanism, rows=rows, out=cache / tag)
    key.save(key_file)
    return folder, key


def run_one(job: tuple[int, str | None, int | None, str]) -> dict[str, Any]:
    seed, mechanism, rows, cache = job
    folder, key = case_of(seed, mechanism, rows, Path(cache))
    started = time.perf_counter()
    out: dict[str, Any] = {"seed": seed, "folder": str(folder), "key": key.to_dict()}
    try:
        findings = rca_kit.investigate(str(folder)).to_dict()
    except Exception as bad:
        out["crash"] = f"{type(bad).__name__}: {bad}".splitlines()[0]
        out["trace"] = traceback.format_exc(limit=-4)
        findings = {}
    seconds = time.perf_counter() - started
    frame, time_column = read_log(folder)
    out["score"] = score_case(findings, key, frame, time_column, seconds).to_dict()
    out["found"] = {
        "verdict": findings.get("verdict"),
        "onset": (findings.get("symptom") or {}).get("onset"),
        "metric": (findings.get("symptom") or {}).get("metric"),
        "where": [s["where"] for s in (findings.get("scope") or {}).get("segments", [])],
        "suspects": [
            {k: s.get(k) for k in ("category", "subject", "change_id", "probability")}
            for s in (findings.get("suspects") or [])[:3]
        ],
    }
    return out


def mean(values: list[Any]) -> float:
    kept = [float(v) for v in values if v is not None]
    return fmean(kept) if kept else float("nan")


def figures(results: list[dict[str, Any]]) -> list[float]:
    s = [r["score"] for r in results]
    recalls = [
        mean([r["score"]["verdict_right"] for r in results if r["key"]["verdict"] == v])
        for v in ("incident", "benign_shift", "no_change")
    ]
    return [
        mean([x for x in recalls if x == x]),
        mean([x["false_alarm"] for x in s]),
        mean([x["missed"] for x in s]),
        mean([x["onset_right"] for x in s]),
        mean([x["scope_f1"] for x in s]),
        mean([x["category_right"] for x in s]),
        mean([x["first_right"] for x in s]),
        mean([x["among_three"] for x in s]),
        mean([x["innocent_blamed"] for x in s]),
        mean([x["brier"] for x in s]),
        mean([x["seconds"] for x in s]),
    ]


def group_of(r: dict[str, Any]) -> str:
    key = r["key"]
    return key["category"] if key["verdict"] == "incident" else key["verdict"]


COLUMNS = (
    ("verdict", "verdict_right"),
    ("onset", "onset_right"),
    ("scope", "scope_f1"),
    ("categ", "category_right"),
    ("first", "first_right"),
    ("top3", "among_three"),
    ("innoc", "innocent_blamed"),
    ("Brier", "brier"),
    ("s", "seconds"),
)


def table(results: list[dict[str, Any]], by: Any, title: str) -> None:
    print(f"\n{title:22s} {'n':>4s} " + " ".join(f"{head:>7s}" for head, _ in COLUMNS))
    for name in sorted({by(r) for r in results}):
        some = [r["score"] for r in results if by(r) == name]
        cells = [mean([s[field] for s in some]) for _, field in COLUMNS]
        print(f"{name:22s} {len(some):4d} " + " ".join(f"{c:7.2f}" if c == c else "      -" for c in cells))


def failure(r: dict[str, Any]) -> str:
    """Say in one line what was wrong: key against found; empty when all is right."""
    key, s, found = r["key"], r["score"], r["found"]
    if r.get("crash"):
        return f"{r['seed']:6d} {key['mechanism']:18s} {key['world']:10s} CRASH {r['crash']}"
    wrong = []
    if not s["verdict_right"]:
        wrong.append(f"verdict {key['verdict']} <> {found['verdict']}")
    if s["onset_right"] is False:
        e = s["onset_error_minutes"]
        wrong.append(
            f"onset {'none' if e is None else f'{e:+.0f} min'} (tol {key['onset_tolerance_minutes']}, by {found['metric']})"
        )
    if s["scope_f1"] is not None and s["scope_f1"] < 0.9:
        wrong.append(f"scope {s['scope_f1']:.2f}: {list(key['where'])} <> {found['where'][:3]}")
    elif s["scope_f1"] is None and key["verdict"] == "incident" and found["where"]:
        wrong.append(f"(global, found {found['where'][:2]})")
    first = found["suspects"][0] if found["suspects"] else None
    if s["first_right"] is False or s["category_right"] is False or s["innocent_blamed"]:
        said = (
            " | ".join(f"{x['category']}/{x['subject']}/{x['change_id']} {x['probability']:.2f}" for x in found["suspects"])
            or "none"
        )
        wrong.append(
            f"{key['category']}/{key['subject']}/{key['change_id']} <> {said}"
            + ("" if first is None or not s["innocent_blamed"] else "  INNOCENT BLAMED")
        )
    if not wrong or all(w.startswith("(") for w in wrong):
        return ""
    return f"{r['seed']:6d} {key['mechanism']:18s} {key['world']:10s} " + "; ".join(wrong)


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--seeds", type=int, default=100)
    ask.add_argument("--start", type=int, default=1000)
    ask.add_argument("--workers", type=int, default=1)
    ask.add_argument("--mechanism", help="one mechanism, or the slug of a sample for its variants")
    ask.add_argument("--samples", action="store_true", help="variants of all samples, `--seeds` of each")
    ask.add_argument("--rows", type=int)
    ask.add_argument("--json", type=Path)
    ask.add_argument("--make-only", action="store_true", help="only generate and cache the cases")
    ask.add_argument("--plan", type=int, help="print the truth of one seed and stop")
    args = ask.parse_args()
    if args.plan is not None:
        p = make_plan(args.plan, args.mechanism, rows=args.rows)
        print(p.mechanism, p.world.name, p.n, "rows", p.span, "h", p.answer, p.where, p.shape, *p.changes, sep="\n  ")
        return
    cache = CACHE / fingerprint()
    kinds = list(SCENARIOS) if args.samples else [args.mechanism]
    jobs = [(s, kind, args.rows, str(cache)) for kind in kinds for s in range(args.start, args.start + args.seeds)]
    if args.make_only:
        for j in jobs:
            case_of(j[0], j[1], j[2], cache)
        print(f"{len(jobs)} cases under {cache.relative_to(ROOT)}")
        return
    if args.workers > 1:
        with ProcessPoolExecutor(args.workers) as pool:
            results = list(pool.map(run_one, jobs))
    else:
        results = [run_one(j) for j in jobs]
    table(results, group_of, "category")
    table(results, lambda r: r["key"]["mechanism"], "mechanism")
    print("\nfailures: seed, mechanism, world, key <> found")
    lines = [line for line in map(failure, results) if line]
    print("\n".join(lines) or "none")
    print(f"\n{'figure':32s} {'found':>7s}  goal     ({len(results)} cases, seeds {args.start}..{args.start + args.seeds - 1})")
    for (name, goal, met), value in zip(GOALS, figures(results), strict=True):
        print(f"{name:32s} {value:7.3f}  {goal:8s} {'met' if met(value) else 'NOT MET' if value == value else '-'}")
    if args.json:
        args.json.write_text(json.dumps(results, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
