"""Training sessions: list them, start one, take a hint, score it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from rca_kit.cli.app import app
from rca_kit.cli.console import EXIT_INCONCLUSIVE, check_writable, out, part, shown, to_json, write_whole

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
    for name in made.dropped:
        console.print(shown(f"left out: column {name}"))
    for text in made.differences:
        console.print(shown(f"not as in the original: {text}", style="yellow"))
    console.print(shown(f"before you hand it out, read {made.folder}/incident.yaml and changes.csv once"))
    if made.differences:
        raise typer.Exit(EXIT_INCONCLUSIVE)
