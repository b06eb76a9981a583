"""How long a click takes: each action of each explorer on the sums of a large log, in memory.

    python benchmarks/widgets.py                   # 1M rows
    python benchmarks/widgets.py --rows 10000000

The log is that of `benchmarks/speed.py`. Reading it and taking the seven steps happens once, before the clicks; what a click sets
off in the background is shown apart, for nobody waits for it. Seconds are of the process's own CPU time, since a busy machine
says nothing about the click, with the wall clock beside it. The goal is 0.3 s.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from speed import case_of

from rca_kit.loop.session import Session
from rca_kit.views.widgets.app import Explore

GOAL = 0.3
REPEATS = 3  # the quickest counts: what else the machine does only ever adds


def timed(act: Callable[[], object]) -> tuple[float, float]:
    cpu, wall = time.process_time(), time.perf_counter()
    act()
    return time.process_time() - cpu, time.perf_counter() - wall


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows = parser.parse_args().rows
    source = case_of(rows)
    folder = Path(tempfile.mkdtemp()) / "case"
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("runs", "notebooks", "journal.jsonl"))
    print(f"{rows:,} rows")
    row("once", "read, sum, seven steps", timed(lambda: globals().__setitem__("SESSION", Session(folder, author="bench"))))
    session: Session = globals()["SESSION"]
    row("once", "sums by segment and time", timed(session.cells))
    row("once", "steps 5 to 7", timed(session.investigation))
    cells = session.cells()
    if cells is not None:
        print(f"{'':8} {len(cells.leaves.codes):,} leaves x {cells.blocks} blocks: {len(cells.leaf):,} cells")
    work = Explore(session)
    work.hub.background = False
    work.hub._catch_up = lambda: None  # measured apart
    for explorer in work.explorers:
        explorer.widget()
    worst = 0.0
    for explorer, name, message in clicks(work):
        found = min(timed(lambda: explorer.act(message)) for _ in range(REPEATS))  # noqa: B023 - called at once
        assert explorer.said is None or "fail" not in explorer.said, explorer.said
        worst = max(worst, found[0])
        row(explorer.key, name, found)
    row("later", "weighed again in the background", timed(session.catch_up))
    print(f"slowest click {worst:.3f} s, goal {GOAL} s")


def clicks(work: Explore) -> list[tuple[Any, str, dict[str, Any]]]:
    def of(act: str, arg: Any = "", value: str = "", **form: str) -> dict[str, Any]:
        return {"act": act, "arg": arg, "value": value, "form": form}

    after = work.session.windows[1]
    late = after.start + (after.end - after.start) / 4
    first = work.session.drill().table[0] if work.session.drill().table else None
    suspect = next(iter(work.session.suspects.items), None)
    out = [
        (work.onset, "brush a window", {"act": "brush", "range": [str(late), str(after.end - timedelta(minutes=1))]}),
        (work.data, "filter", of("filter", value="f")),
        (work.data, "look at a column", of("choose", work.data.table()[0]["column"])),
        (work.onset, "half a day around the onset", of("stretch", "12")), (work.onset, "brush sets before", of("side", "before")),
        (work.replay, "look at trials", of("view", "trials")),
        (work.replay, "move the threshold", of("threshold", value="0.4")),
        (work.samples, "next pair", of("step", "1")), (work.samples, "all fields", of("fields")),
        (work.settle, "save the 5 Whys", of("whys", q0="Why?", a0="No check covers it", e0="")),
        (work.settle, "add to the timeline", of("moment", at="2026-03-02 10:00", text="paged")),
        (work.settle, "set the severity", of("severity", level="SEV2", reason="seen")),
        (work.settle, "keep a message", of("message", "status page", text="We are on it.")),
        (work.settle, "give an action to somebody", of("action", "", text="Add a check", kind="fix", owner="ana")),
    ]
    if first is not None:
        out += [
            (work.scope, "add a condition", of("add", json.dumps([first["dimension"], first["condition"]]))),
            (work.scope, "heat map", of("view", "heat")), (work.scope, "mix and rate", of("view", "fall")),
            (work.scope, "tree", of("view", "tree")), (work.scope, "against the rest", of("compare")),
        ]
    if suspect is not None:
        form = {"subject": suspect.subject, "change_id": suspect.change_id or "", "reason": "no effect"}
        own = {"subject": suspect.subject, "change_id": suspect.change_id or "", "says": "seen in its graphs", "weight": "1"}
        out += [
            (work.suspects, "add evidence", of("evidence", **own)),
            (work.suspects, "exclude a suspect", of("mark", "excluded", **form)),
            (work.suspects, "add a suspect", of("suspect", title="Disk", category="infra", subject="component:x", change_id="")),
        ]
    pair = next(iter(work.samples.samples.pairs), None)
    if pair is not None:
        out.append((work.samples, "tag a row", of("tag", pair.key, value="typical")))
    return out


def row(what: str, name: str, took: tuple[float, float]) -> None:
    print(f"{what:8} {name:34} {took[0]:8.3f} s CPU {took[1]:8.3f} s", flush=True)


if __name__ == "__main__":
    main()
