"""A plan to retire a model, a feature or a service: who depends on it, what can go wrong, phases, and when to go back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from rca_kit.findings.investigation import CaseFacts
from rca_kit.views import words
from rca_kit.views.documents.page import Boxes, Grid, Page, Part, Points

PHASES = (
    ("Announce", 14, "every owner of a dependency has confirmed", "nothing has changed yet"),
    ("Shadow", 14, "the replacement answers the same requests and is equivalent within the margin", "stop shadowing"),
    ("Canary, 5%", 7, "no SLO is missed and no segment is worse beyond the margin", "route all back at once"),
    ("Half", 7, "the same, at 50%", "route all back at once"),
    ("All", 14, "no caller has used the old one for seven days", "route back; the old one is still warm"),
    ("Remove", 7, "code, data jobs, alerts, dashboards, access and costs are gone", "restore from the last release"),
)
RISKS = (
    ("a caller nobody knew of", "log callers for two weeks before announcing", "any request from an unknown caller"),
    (
        "a segment is worse although the average is not",
        "compare by segment, with correction for the number of looks",
        "one segment beyond the margin",
    ),
    (
        "alerts and thresholds were tuned to the old score",
        "recompute thresholds on shadow traffic",
        "positive rate leaves its band",
    ),
    ("a feature is kept alive only by the old model", "list features by consumer", "freshness alert on a feature nobody reads"),
)


def deprecation_plan(
    what: str,
    *,
    replacement: str = "",
    owner: str = "",
    start: date,
    dependencies: Sequence[str] = (),
    case: CaseFacts | None = None,
) -> Page:
    """Draft a deprecation plan.

    Parameters
    ----------
    what : str
        What is retired.
    replacement, owner : str
        What takes its place, and who leads.
    start : date
        First day of the first phase; the other dates follow from it.
    dependencies : sequence of str
        Known callers and consumers.
    case : CaseFacts, optional
        A case of the service, for its SLOs and segments.

    Examples
    --------
    >>> page = deprecation_plan("model v2", replacement="model v3", start=date(2026, 4, 1))
    >>> page.parts[2].blocks[0].rows[1][1]
    '2026-04-15'
    """
    rows, day = [], start
    for name, days, gate, back in PHASES:
        rows.append((name, day.isoformat(), (day + timedelta(days=days)).isoformat(), gate, back))
        day += timedelta(days=days)
    known = tuple((d, "to be named", "to be asked") for d in dependencies)
    slos = tuple(
        (words.metric_title(m), ", ".join(f"{k} {words.value(m, v)}" for k, v in s.items()))
        for m, s in ((case.slos or {}) if case else {}).items()
    )
    segments = [str(s) for s in (case.roles.get("segments") or ())] if case else []
    watch = [
        "each SLO below, overall and by segment" + (f": {', '.join(segments)}" if segments else ""),
        "requests per caller of the old one",
        "cost and latency of both while they run side by side",
    ]
    return Page(
        f"Deprecation plan: {what}",
        f"{f'Replaced by {replacement}' if replacement else 'Without replacement'}. Led by {owner or 'somebody to be named'}.",
        (
            Part("Dependency map", (Grid(("who depends on it", "owner", "ready"), known, "Dependencies"),)),
            Part("Risks", (Grid(("what can go wrong", "what we do first", "sign that it happens"), RISKS, "Risks"),)),
            Part("Phases", (Grid(("phase", "from", "to", "next phase when", "way back"), tuple(rows), "Phases"),)),
            Part(
                "Roll-back trigger",
                (
                    Points(
                        (
                            "an SLO is missed for 10 minutes, or any segment is worse beyond the agreed margin: "
                            "go back one phase, at once, without a meeting",
                            "an unknown caller appears after Announce: stop, find the owner, add two weeks",
                        )
                    ),
                ),
            ),
            Part("Watch", (Points(tuple(watch)), Grid(("metric", "target"), slos, "SLOs"))),
            Part(
                "Done when",
                (
                    Boxes(
                        tuple(
                            (t, False)
                            for t in (
                                "no caller for 30 days",
                                "data jobs, features, alerts and dashboards removed",
                                "access and secrets revoked",
                                "documents and runbook say what replaced it",
                                "cost is gone from the bill",
                            )
                        )
                    ),
                ),
            ),
        ),
    )
