"""Training sessions: list them, start one, take a hint, score it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from rca_kit.cli.app import app
from rca_kit.cli.console import EXIT_GATE_NO, EXIT_INCONCLUSIVE, check_writable, out, part, shown, to_json, write_whole
from rca_kit.errors import BadInput

SESSIONS = "rca_kit.training.sessions"
LEVELS = {1: "easy", 2: "medium", 3: "hard"}

train = typer.Typer(help="Training sessions: incidents with a known answer.", no_args_is_help=True)
app.add_typer(train, name="train")
Session = Annotated[Path, typer.Argument(help="the folder of a started session", show_default=False)]
ScenarioFile = Annotated[Path | None, typer.Option("--scenario", help="the scenario file, if the session was started from one")]
KeyFile = Annotated[Path | None, typer.Option("--key", help="the key, if the session was made from a real case")]


@train.command("list")
def list_sessions() -> None:
    """List the training incidents, easiest first."""
    table = Table("slug", "alert", "topic", "difficulty", "minutes")
    for s in part(SESSIONS, "list_sessions")():
        table.add_row(shown(s.slug), shown(s.title), shown(s.topic), LEVELS[s.difficulty], str(s.minutes))
    out().print(table)
    out().print(shown("next: rca-kit train start SLUG; SLUG may be `any`, or a scenario file of your own"))


@train.command()
def start(
    slug: Annotated[str, typer.Argument(help="which incident, `any`, or a scenario file (.yaml, .py)", show_default=False)],
    seed: Annotated[int | None, typer.Option(help="the variant; by chance when not given")] = None,
    folder: Annotated[Path | None, typer.Option("--dir", "--out", help="a new folder; default ./<id of the session>")] = None,
) -> None:
    """Lay a case without answers ready, with the questions of each step and a notebook."""
    made = part(SESSIONS, "start_session")(slug, folder, seed)
    out().print(
        shown(
            f"session: {made}\n"
            f"the clock runs. Work in the notebook: rca-kit lab {made}\n"
            f"or fill in {made / 'answers.yaml'}; a hint: rca-kit train hint {made} scope\n"
            f"at the end: rca-kit train score {made}"
        )
    )


@train.command()
def hint(
    folder: Session,
    step: Annotated[str, typer.Argument(help="signal, symptom, scope, suspects, samples, simulate, settle, or 1 to 7")],
    scenario: ScenarioFile = None,
    key: KeyFile = None,
) -> None:
    """Give a hint for a step; it costs points."""
    found = part(SESSIONS, "take_hint")(folder, step, scenario, key)
    cost = f"costs {found.cost:.0f} points" if found.cost else "already paid for"
    out().print(shown(f"{found.text}\n({found.step}, hint {found.level}; {cost})"))


@train.command()
def tests() -> None:
    """List the tests a group can ask for."""
    table = Table("name", "what", "minutes")
    for t in part("rca_kit.training.questions", "known_tests")():
        table.add_row(shown(t.name), shown(t.title), str(t.minutes))
    out().print(table)


@train.command()
def score(
    folder: Session,
    scenario: ScenarioFile = None,
    key: KeyFile = None,
    report: Annotated[Path | None, typer.Option("--report", help="write the debrief to this .html or .md file")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="write the score to this file")] = None,
) -> None:
    """Compare the answers of a session with the key, beside what the kit itself finds."""
    for target in (report, json_file):
        if target is not None:
            check_writable(target)
    found = part(SESSIONS, "score_session")(folder, scenario, key)
    show_score(found)
    if report is not None:
        page = part("rca_kit.views.documents", "debrief")(found)
        write_whole(report, page.to_markdown() if report.suffix == ".md" else page.to_html())
        out().print(shown(f"debrief: {report}"))
    if json_file is not None:
        write_whole(json_file, to_json(found.to_dict()))


def show_score(found: Any) -> None:
    """Print a score: the story first, then each question, then why."""
    console = out()
    console.print(shown(f"{found.drill_id}: {found.title}", style="bold"))
    console.print(shown(f"{found.says()}\n{found.story}\nThe kit's first suspect: {found.kit_first}."))
    table = Table("question", "you", "truth", "the kit", "points")
    for j in found.judged:
        style = "green" if j.full else "yellow" if j.points else "red"
        table.add_row(
            shown(j.question),
            shown(_cut(j.given)),
            shown(_cut(j.truth)),
            shown(_cut(j.kit)),
            shown(f"{j.points:.1f} of {j.of:.0f}", style=style),
        )
    console.print(table)
    for j in found.judged:
        if not j.full:
            console.print(shown(f"- {j.question}: {j.why}" + (f"\n    look at: {j.look_at}" if j.look_at else "")))
    for lesson in found.lessons:
        console.print(shown(f"* {lesson}"))


def _cut(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."


@train.command("from-case")
def from_case(
    folder: Annotated[Path, typer.Argument(help="a real, solved case", show_default=False)],
    output: Annotated[Path, typer.Option("--out", help="a new folder for the session")],
    key: Annotated[Path | None, typer.Option("--key", help="where the key goes; default beside the folder")] = None,
    minutes: Annotated[int, typer.Option(help="what a group is given")] = 45,
) -> None:
    """Make an anonymised session of a real, solved case; exit code 3 when its story did not carry over whole."""
    made = part("rca_kit.training.anonymise", "drill_from_case")(folder, output, key_file=key, minutes=minutes)
    console = out()
    console.print(shown(f"session: {made.folder}\nkey, keep it from the group: {made.key_file}"))
    if not made.confirmed:
        text = f"nobody has confirmed a cause in this case, so the key holds the kit's first suspect: {made.key.summary}"
        console.print(shown(text, style="yellow"))
        console.print(shown("confirm the true one under `Why?` in rca-kit lab and make the session again, or correct the key"))
    for name in made.dropped:
        console.print(shown(f"left out: column {name}"))
    for text in made.differences:
        console.print(shown(f"not as in the original: {text}", style="yellow"))
    console.print(shown(f"before you hand it out, read {made.folder}/incident.yaml and changes.csv once"))
    if made.differences:
        raise typer.Exit(EXIT_INCONCLUSIVE)


@train.command()
def quiz(
    topic: Annotated[str, typer.Argument(help="a topic, or a file of questions; `list` lists the topics", show_default=False)],
    answers: Annotated[
        str | None, typer.Option(help="letters in order, such as a,c,b,...; asked one by one when not given")
    ] = None,
    file: Annotated[Path | None, typer.Option("--file", help="a text file with one letter per line")] = None,
    seed: Annotated[int, typer.Option(help="order of questions and options")] = 0,
    show: Annotated[bool, typer.Option("--show", help="print the questions and stop")] = False,
) -> None:
    """Ask eight questions on a topic; passed at 70 %, exit code 1 when not."""
    module = "rca_kit.training.quiz"
    console = out()
    if topic == "list":
        table = Table("topic", "title", "questions")
        for q in part(module, "list_quizzes")():
            table.add_row(shown(q.topic), shown(q.title), str(len(q.questions)))
        console.print(table)
        return
    found = part(module, "get_quiz")(topic).mixed(seed)
    given: list[str] | str = _from_file(file) if file else answers or ""
    if show or not given:
        given = [_ask(console, q, i, wait=not show) for i, q in enumerate(found.questions, 1)]
        if show:
            return
    result = part(module, "score_quiz")(found, given)
    for i, a in enumerate(result.answers, 1):
        console.print(shown(f"{i}. {'right' if a.right else 'wrong'}: {a.explains()}", style="green" if a.right else "red"))
    console.print(shown(result.says(), style="bold"))
    if not result.passed:
        raise typer.Exit(EXIT_GATE_NO)


def _from_file(path: Path) -> list[str]:
    try:
        return [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as problem:
        raise BadInput("the answers cannot be read", file=str(path), found=str(problem)) from None


def _ask(console: Any, question: Any, number: int, *, wait: bool) -> str:
    console.print(shown(f"\n{number}. {question.ask}"))
    letters = "abcdefgh"[: len(question.options)]
    for letter, option in zip(letters, question.options, strict=True):
        console.print(shown(f"   {letter}) {option.text}"))
    while wait:
        given = str(typer.prompt("  your answer", default="-")).strip().lower()
        if given == "-" or given in letters:
            return given
        console.print(shown(f"  one of {', '.join(letters)}, or - for none"))
    return "-"


@train.command("check")
def check_scenario(
    name: Annotated[str, typer.Argument(help="a scenario file of your own, or a slug", show_default=False)],
    seeds: Annotated[int, typer.Option(help="how many variants are tried")] = 3,
) -> None:
    """Truth test of a scenario: exit code 1 when case and key do not fit, 3 when the kit does not find what was planted."""
    told = part("rca_kit.training.own", "get_told")(name)
    found = part("rca_kit.training.truth", "truth_test")(told, tuple(range(1, seeds + 1)))
    console = out()
    for t in found.trials:
        overlap = "" if t.scope_f1 is None else f", scope F1 {t.scope_f1:.2f}"
        console.print(
            shown(
                f"seed {t.seed}: verdict {_yes(t.verdict)}, onset {_yes(t.onset)}{overlap}, suspect {_yes(t.suspect)}"
                + "".join(f"\n  {p}" for p in t.problems)
            )
        )
    console.print(shown(found.says(), style="bold"))
    if found.exit_code:
        raise typer.Exit(found.exit_code)


def _yes(value: bool | None) -> str:
    return "does not apply" if value is None else "right" if value else "wrong"


@train.command()
def exercise(
    name: Annotated[str, typer.Argument(help="list, post-mortem, deprecation; or the folder of a begun one", show_default=False)],
    folder: Annotated[Path | None, typer.Option("--dir", help="begin it in this new folder")] = None,
) -> None:
    """Begin an exercise in a folder, or check a filled-in one; exit code 1 when it is not passed."""
    module = "rca_kit.training.exercises"
    console = out()
    if name == "list":
        table = Table("name", "title", "minutes")
        for e in part(module, "list_exercises")():
            table.add_row(shown(e.name), shown(e.title), str(e.minutes))
        console.print(table)
        return
    if folder is not None or not Path(name).exists():
        made = part(module, "start_exercise")(name, folder or Path(name))
        console.print(shown(f"task: {made / 'TASK.md'}\nfill in: {made / 'answer.yaml'}\nthen: rca-kit train exercise {made}"))
        return
    found = part(module, "check_exercise")(Path(name))
    for c in found.checks:
        console.print(shown(f"{'yes' if c.holds else 'NO '} {c.check}: {c.says}", style="green" if c.holds else "red"))
    console.print(shown(found.says(), style="bold"))
    if not found.passed:
        raise typer.Exit(EXIT_GATE_NO)


@train.command("game-day")
def game_day(
    folder: Annotated[Path, typer.Argument(help="a case with a canary, such as the sample fraud-canary", show_default=False)],
    decided: Annotated[str | None, typer.Option(help="when the group would have rolled back; no offset means UTC")] = None,
    rule: Annotated[list[str] | None, typer.Option(help="a trigger to try; may be given several times")] = None,
) -> None:
    """Run rollback triggers over a canary, beside when the group would have rolled back."""
    found = part("rca_kit.training.exercises", "game_day")(folder, decided, *((tuple(rule),) if rule else ()))
    table = Table("trigger", "fires", "minutes", "requests served", "on a healthy canary")
    for t in found.triggers:
        table.add_row(
            shown(t.rule),
            shown(f"{t.fired_at:%Y-%m-%d %H:%M}" if t.fired_at else "never" if t.false_alarm is not None else t.says),
            "" if t.minutes is None else f"{t.minutes:.0f}",
            "" if t.served is None else f"{t.served:,}",
            "not tried" if t.false_alarm is None else "fires too" if t.false_alarm else "silent",
        )
    console = out()
    console.print(table)
    console.print(shown(found.says(), style="bold"))
