"""Training sessions: list the incidents, start one, take a hint, score it.

The key of a session lies nowhere. It is made again from scenario and seed when it is needed: the generator is mechanical, so the
same two give the same case and the same key. Only a session behind which there is a real case has its key in a file of its own.
"""

from __future__ import annotations

import secrets
import shutil
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rca_kit.case.journal import Journal, JournalEntry
from rca_kit.errors import BadInput
from rca_kit.findings.drill import DrillScore
from rca_kit.findings.suspects import chance
from rca_kit.sources import open_case
from rca_kit.training.alone import kit_alone
from rca_kit.training.answers import Answers, read_answers, write_answers
from rca_kit.training.drill_file import DrillFile, digest_of
from rca_kit.training.drill_notebook import write_notebook
from rca_kit.training.hints import COSTS, Hint, make_hint
from rca_kit.training.judge import Bench, judge_scope, judge_signal, judge_symptom
from rca_kit.training.judge_cause import FALSE_ACCUSATION, judge_samples, judge_simulate, judge_suspects
from rca_kit.training.judge_settle import judge_settle
from rca_kit.training.keys import Key
from rca_kit.training.logs import read_log
from rca_kit.training.own import Told, get_told, is_file, write_told
from rca_kit.training.questions import get_step
from rca_kit.training.scenarios import SCENARIOS, Scenario

ANY = "any"
MOST_SEED = 1_000_000
MODELS_MODULE = '''"""The two versions of the model of this exercise, for the replay of the golden set."""

from pathlib import Path

from rca_kit.training.replay_models import of_drill


def current():
    return of_drill(Path(__file__).parent, "current")


def previous():
    return of_drill(Path(__file__).parent, "previous")
'''


@dataclass(frozen=True)
class SessionInfo:
    """One line of the list."""

    slug: str
    title: str
    topic: str
    difficulty: int
    minutes: int


def list_sessions() -> tuple[SessionInfo, ...]:
    """List the training incidents, easiest first.

    Examples
    --------
    >>> len(list_sessions())
    20
    """
    infos = [SessionInfo(s.slug, s.title, s.topic, s.difficulty, s.minutes) for s in SCENARIOS.values()]
    return tuple(sorted(infos, key=lambda i: (i.difficulty, i.minutes, i.slug)))


def start_session(slug: str, folder: str | Path | None = None, seed: int | None = None) -> Path:
    """Lay a case without answers ready, with the questions and a notebook.

    Parameters
    ----------
    slug : str
        A slug of `list_sessions`, the path of a scenario file of one's own, or ``any`` for one by chance, which not even the
        trainer knows.
    folder : path, optional
        A new or empty folder; ``./<id of the session>`` when not given.
    seed : int, optional
        The variant: another seed gives other times, requests, weights and ids. By chance when not given, so that two groups do
        not get the same numbers.

    Raises
    ------
    BadInput
        For an unknown slug, a seed that is negative, or a folder that holds something.
    """
    if seed is not None and seed < 0:
        raise BadInput("a seed is not negative", found=str(seed))
    number = secrets.randbelow(MOST_SEED) if seed is None else seed
    name = sorted(SCENARIOS)[number % len(SCENARIOS)] if slug == ANY else slug
    told = get_told(name)
    ident = _ident(told.slug, number)
    target = Path(folder) if folder is not None else Path(ident)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise BadInput("is not an empty folder, and nothing is overwritten", file=str(target))
    target.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=".drill-", dir=target.parent))  # made whole beside it, then moved
    try:
        case = part / ident
        write_told(told, case, number, ident, _models(told, ident))
        if _models(told, ident):
            (case / f"{_module(ident)}.py").write_text(MODELS_MODULE, encoding="utf-8")
        scenario = Path(name).name if is_file(name) else told.slug
        drill = DrillFile(ident, told.title, told.minutes, scenario, number, digest_of(Path(name)) if is_file(name) else "")
        drill.save(case)
        write_answers(case, Answers(), f"{ident}, {told.title}")
        write_notebook(case)
        Journal(case).add("drill", "started", data={"minutes": told.minutes})
        if target.exists():
            target.rmdir()
        case.replace(target)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return target


def _ident(slug: str, seed: int) -> str:
    import hashlib

    return "DRILL-" + hashlib.blake2s(f"{slug}/{seed}".encode(), digest_size=3).hexdigest().upper()


def _module(ident: str) -> str:
    return "serving_" + ident.partition("-")[2].lower()


def _models(told: Told, ident: str) -> dict[str, dict[str, str]] | None:
    """Models of the variant instead of the sample's, under names that say nothing."""
    if not isinstance(told, Scenario) or "models" not in told.more:
        return None
    return {which: {"python": f"{_module(ident)}:{which}"} for which in told.more["models"]}


def key_of(folder: str | Path, scenario: str | Path | None = None, key: str | Path | None = None) -> Key:
    """Make the key of a session again, or read the one that was kept apart.

    Parameters
    ----------
    folder : path
        The session.
    scenario : path, optional
        The scenario file, when the session was started from one and it lies neither beside the session nor in the current folder.
    key : path, optional
        The key of a session made by `rca-kit train from-case`; ``<folder>.key.json`` when not given.

    Raises
    ------
    BadInput
        When the scenario file is missing or was changed since, or the key is missing or of another session.
    """
    folder = Path(folder)
    drill = DrillFile.load(folder)
    if not drill.scenario:
        path = Path(key) if key else folder.resolve().with_name(folder.resolve().name + ".key.json")
        if not path.is_file():
            raise BadInput(
                "the key of this session is kept apart and was not found",
                file=str(path),
                hint="name it: rca-kit train score DIR --key FILE",
            )
        found = Key.load(path)
        if found.case_id != drill.id:
            raise BadInput("is the key of another session", file=str(path), found=found.case_id, expected=drill.id)
        return found
    name = drill.scenario
    if is_file(name):
        places = [Path(scenario)] if scenario else [folder.resolve().parent / name, Path(name)]
        path = next((p for p in places if p.is_file()), places[0])
        if not path.is_file():
            raise BadInput(
                "the scenario file of this session was not found",
                file=str(path),
                hint="name it: rca-kit train score DIR --scenario FILE",
            )
        if digest_of(path) != drill.digest:
            raise BadInput(
                "the scenario file has changed since the session was started",
                file=str(path),
                hint="score with the file as it was",
            )
        name = str(path)
    with tempfile.TemporaryDirectory() as private:
        return write_told(get_told(name), Path(private), drill.seed, drill.id)


def take_hint(folder: str | Path, step: str, scenario: str | Path | None = None, key: str | Path | None = None) -> Hint:
    """Give the next hint of a step and note its price in the session's journal; the last one is given again for nothing."""
    name = get_step(step).step
    taken = [e for e in Journal(folder).entries() if e.kind == "hint" and e.data.get("step") == name]
    level = min(len({e.data.get("level") for e in taken}) + 1, len(COSTS))
    hint = make_hint(key_of(folder, scenario, key), name, level)
    if any(e.data.get("level") == level for e in taken):
        return Hint(hint.step, hint.level, hint.text, 0.0)
    Journal(folder).add("hint", hint.text, data={"step": name, "level": level, "cost": hint.cost})
    return hint


def score_session(folder: str | Path, scenario: str | Path | None = None, key: str | Path | None = None) -> DrillScore:
    """Compare a session's answers with its key, beside what the kit itself finds in the case.

    Raises
    ------
    BadInput
        When the folder is no session, the answers cannot be read, or there are none.
    """
    folder = Path(folder)
    drill = DrillFile.load(folder)
    answers = read_answers(folder)
    if not answers.given:
        raise BadInput(
            "no question is answered yet",
            file=str(folder / "answers.yaml"),
            hint="fill in answers.yaml, or answer in the notebook",
        )
    truth = key_of(folder, scenario, key)
    worked, found = kit_alone(open_case(folder))
    rows, time = read_log(folder)
    bench = Bench(truth, rows, time, found, worked, answers)
    entries = Journal(folder).entries()
    score = _judge(bench, drill, entries)
    Journal(folder).add("drill", "scored", data={"points": score.points})
    return score


def _judge(b: Bench, drill: DrillFile, entries: tuple[JournalEntry, ...]) -> DrillScore:
    run = tuple(str(e.data.get("name")) for e in entries if e.kind == "drill_test")
    symptom, error = judge_symptom(b)
    scope, f1 = judge_scope(b)
    suspects, accused = judge_suspects(b)
    simulate, wasted = judge_simulate(b, run) if b.key.category else ([], ())
    settle, risk = judge_settle(b)
    all_of = (*judge_signal(b), *symptom, *scope, *suspects, *judge_samples(b), *simulate, *settle)
    hints = [e for e in entries if e.kind == "hint"]
    cost = sum(float(e.data.get("cost", 0)) for e in hints)
    raw = 100 * sum(j.points for j in all_of) / sum(j.of for j in all_of)
    first = b.inv.suspects.items[0] if b.inv.suspects.items else None
    return DrillScore(
        drill.id,
        drill.title,
        round(max(raw - cost - FALSE_ACCUSATION * len(accused), 0.0), 1),
        all_of,
        len(hints),
        cost,
        accused,
        wasted,
        error,
        f1,
        risk,
        _minutes(entries),
        drill.minutes,
        _story(b),
        _lessons(b, accused),
        f"{first.title or first.subject} ({first.category}), probability {chance(first.probability)}" if first else "no suspect",
    )


def _minutes(entries: tuple[JournalEntry, ...]) -> float | None:
    """From the start to the last answer; to now when the answers were written by hand."""
    start = next((e.time for e in entries if e.kind == "drill" and e.text == "started"), None)
    if start is None:
        return None
    answered = [e.time for e in entries if e.kind == "answer"]
    scored = [e.time for e in entries if e.kind == "drill" and e.text == "scored"]
    end: datetime = answered[-1] if answered else scored[0] if scored else datetime.now(UTC)
    return float((end - start).total_seconds() / 60)


def _story(b: Bench) -> str:
    if b.quiet:
        return "Nothing happened: the alert fired on chance or season."
    text = b.key.summary or f"{b.key.subject} ({b.key.category})"
    return text[:1].upper() + text[1:].rstrip(".") + "."


def _lessons(b: Bench, accused: tuple[str, ...]) -> tuple[str, ...]:
    """Two or three sentences to take home, from what happened and what was missed."""
    out = []
    innocent = [c for c in accused if c in b.key.innocent]
    if innocent:
        out.append(
            f"{len(innocent)} innocent change{'s were' if len(innocent) > 1 else ' was'} accused ({', '.join(innocent)}). "
            "Near in time is where every search begins, and where most innocents are found."
        )
    if b.key.harmless:
        out.append(f"{', '.join(b.key.harmless)} drifted too and did no harm: drift is a reason to look, not a cause.")
    if not b.changes and not b.quiet and b.key.category != "external":
        out.append("The cause was in no log. What is left over after all suspects is a suspect of its own.")
    if b.key.mitigation and b.key.mitigation != "none":
        out.append(f"What helps: {b.key.mitigation}.")
    return tuple(out)
