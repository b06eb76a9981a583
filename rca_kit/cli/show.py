"""How the command line shows a case and the outcome of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from rca_kit.cli.console import shown
from rca_kit.findings.suspects import chance

if TYPE_CHECKING:
    from rca_kit.findings.investigation import Investigation
    from rca_kit.loop.s7_settle.recovery import Verification
    from rca_kit.run import RunResult
    from rca_kit.sources import OpenCase

SUSPECTS_SHOWN = 3


def show_case(opened: OpenCase, console: Console) -> None:
    """Print tables, roles with their reasons, and what is worth a warning."""
    incident = opened.case.incident
    console.print(shown(f"{incident.id}: {incident.title}", style="bold"))
    start, end = opened.time_range
    console.print(shown(f"{opened.row_count:,} requests from {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC; "
                        f"alert {incident.detected_at:%Y-%m-%d %H:%M} UTC; task {opened.task}"))
    tables = Table("table", "files", "rows", "columns", title="Tables", title_justify="left")
    for entry in opened.tables:
        files = ", ".join(entry.files[:3]) + (f" and {len(entry.files) - 3} more" if len(entry.files) > 3 else "")
        tables.add_row(entry.name, shown(files), "" if entry.rows is None else f"{entry.rows:,}", str(entry.columns))
    console.print(tables)
    roles = Table("role", "column", "how", title="Roles", title_justify="left")
    inferred = opened.roles.inferred
    for role, value in {**opened.roles.to_dict(), "task": opened.task}.items():
        if isinstance(value, dict):
            named = ", ".join(f"{k} ({v} is good)" for k, v in value.items())
        else:
            named = ", ".join(value) if isinstance(value, list) else str(value)
        roles.add_row(role, shown(named), shown(f"inferred: {inferred[role]}" if role in inferred else "given"))
    console.print(roles)
    for column, value in opened.positive.items():
        console.print(shown(f"`{column}` is positive where it is {value!r}"))
    if not opened.warnings:
        console.print(Text("no problems found", style="green"))
    for warning in opened.warnings:
        console.print(shown(f"warning: {warning}", style="yellow"))


def recovery_table(found: Verification) -> Table:
    """Lay out a verification: one line per metric and segment."""
    table = Table("metric", "segment", "before", "since", "difference, 90%", "margin", "verdict", "SLO", "rows", "needed")
    for r in found.recoveries:
        low_high = f" ({r.interval[0]:+.3g} to {r.interval[1]:+.3g})" if r.interval else ""
        change = "" if r.difference is None else f"{r.difference:+.3g}{low_high}"
        sides = ["not known" if v is None else f"{v:.4g}" for v in (r.before, r.since)]
        table.add_row(shown(r.metric), shown(r.segment), *sides, change, f"{r.margin:.3g}", r.verdict, r.slo or "-", f"{r.n:,}",
                      f"{r.needed:,}" if r.needed else "-")
    return table


def show_run(result: RunResult, console: Console) -> None:
    """Print the answer of a run and where its report lies."""
    if result.investigation is not None:
        console.print(Panel(_answer(result.investigation), title=shown(result.investigation.case.case_id), title_align="left"))
    else:
        for step in result.steps:
            console.print(shown(f"{step.step}: {step.state}"))
    if result.failure:
        console.print(shown(f"stopped: {result.failure}", style="red"))
    console.print(shown(f"report: {result.report}"))


def _answer(inv: Investigation) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column()
    severity = inv.settlement.severity
    grid.add_row("verdict", shown(f"{inv.verdict}: {inv.suspects.verdict_because}"))
    if severity.level:
        grid.add_row("severity", shown(f"{severity.level}: {'; '.join(severity.because)}"))
    if inv.verdict != "no_change":
        grid.add_row("symptom", shown(inv.symptom.says()))
        if inv.symptom.onset is not None:
            interval = inv.symptom.onset_interval
            between = f" (between {interval[0]:%Y-%m-%d %H:%M} and {interval[1]:%Y-%m-%d %H:%M})" if interval else ""
            grid.add_row("onset", shown(f"{inv.symptom.onset:%Y-%m-%d %H:%M} UTC{between}"))
        grid.add_row("scope", shown(inv.scope.says()))
    for suspect in inv.suspects.items[:SUSPECTS_SHOWN]:
        change = f", change {suspect.change_id}" if suspect.change_id else ""
        named = f"{suspect.title or suspect.subject} ({suspect.category}: {suspect.subject}{change})"
        grid.add_row(f"suspect {suspect.rank}", shown(f"{chance(suspect.probability)} {named}"))
    if inv.settlement.mitigations:
        first = inv.settlement.mitigations[0]
        grid.add_row("do now", shown(f"{first.action} {first.target}: {first.why}"))
    for warning in inv.warnings[:5]:
        grid.add_row("warning", shown(warning, style="yellow"))
    return grid
