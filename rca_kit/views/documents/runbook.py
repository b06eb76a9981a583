"""A runbook for a service: who, what is good, what fires, the first 90 minutes, and how to go back."""

from __future__ import annotations

from rca_kit.findings.investigation import Investigation
from rca_kit.views import words
from rca_kit.views.comms import stakeholder_update, status_update
from rca_kit.views.documents.page import Block, Boxes, Grid, Page, Part, Points, Words

FIRST_90_MINUTES = (
    ("0-5 min", "page; name incident commander, operations, ML owner, communications; open the case folder"),
    ("5-15 min", "set the severity; stabilise first: is there a safe, reversible step that stops the harm?"),
    ("15-30 min", "narrow the scope: since when, for whom, which metrics stand still; read the change log"),
    ("30-60 min", "one hypothesis at a time, evidence for and against; one change at a time, each with a check"),
    ("60-90 min", "recover and verify: back inside the SLOs in every affected segment, not only overall"),
    ("every 30 min", "tell: impact, actions, expected end, next check-in; record decisions in the journal"),
)
SEVERITIES = (
    ("SEV1", "broad or unsafe", "page everybody named above, at once, day and night"),
    ("SEV2", "notable KPI impact", "page the ML owner and operations"),
    ("SEV3", "limited to a segment or a soft target", "next working hours"),
    ("SEV4", "cosmetic, or a false alarm to be tuned", "backlog"),
)
STEPS_BACK = (
    ("rollback", "a deploy or switch lies inside the onset interval and the earlier version is still there"),
    ("fallback_model", "the model is worse and an earlier one can serve the same inputs"),
    ("cached_features", "a feature source is down or slow"),
    ("rules_only", "no model can be trusted at the moment"),
    ("fail_open", "blocking everybody costs more than letting some through"),
    ("fail_closed", "letting one through costs more than blocking some"),
    ("throttle", "resources are saturated"),
    ("quarantine_batch", "a batch of data is wrong and has not been used by all yet"),
    ("fix_forward", "there is no way back, or it would lose data"),
    ("change_monitoring", "the alarm was about harmless drift"),
)


def runbook(inv: Investigation, *, owner: str = "", escalation: str = "", dashboards: str = "") -> Page:
    """Draft a runbook from a case: what was learned becomes triggers and checks.

    Parameters
    ----------
    inv : Investigation
        The findings.
    owner, escalation, dashboards : str
        Who owns the service, whom to call next, where to look; left open when empty.

    Examples
    --------
    >>> from rca_kit.views.example import example
    >>> runbook(example(), owner="ML platform").title
    'Runbook: fraud-scoring'
    """
    case, settlement = inv.case, inv.settlement
    open_ = "to be named"
    slos = tuple(
        (words.metric_title(m), ", ".join(f"{k} {words.value(m, v)}" for k, v in s.items())) for m, s in (case.slos or {}).items()
    )
    triggers = tuple((g.kind.replace("_", " "), words.metric_title(g.metric), g.rule, g.why) for g in settlement.guardrails)
    learned: tuple[Block, ...] = (
        Words(f"{case.case_id}, {case.title}: {inv.suspects.says()}"),
        Grid(
            ("step", "verify by"),
            tuple((_step(m.action, m.target), m.verify or "to be set") for m in settlement.mitigations),
            "What helped",
        ),
    )
    return Page(
        f"Runbook: {case.service or case.title}",
        "What to do when this service misbehaves; drafted from a case, to be completed by its owner.",
        (
            Part(
                "Ownership",
                (
                    Grid(
                        ("what", "who or where"),
                        (
                            ("owner", owner or open_),
                            ("escalation", escalation or open_),
                            ("dashboards", dashboards or "to be linked"),
                        ),
                        "Ownership",
                    ),
                ),
            ),
            Part("What good looks like", (Grid(("metric", "target"), slos, "Service level objectives"),)),
            Part("Severity", (Grid(("level", "when", "who is called"), SEVERITIES, "Severities"),)),
            Part("Triggers", (Grid(("kind", "on", "rule", "why"), triggers, "Triggers"),)),
            Part("First 90 minutes", (Grid(("when", "what"), FIRST_90_MINUTES, "First 90 minutes"),)),
            Part(
                "Ways back, least risky first",
                (Grid(("step", "when"), tuple((words.ACTIONS[a], w) for a, w in STEPS_BACK), "Ways back"),),
            ),
            Part("Learned from the last case", learned),
            Part(
                "Verify",
                (
                    Points(
                        (
                            "rca-kit verify CASE --since TIME: inside the SLOs and as before, in each affected segment",
                            "the metric that fired, and those that moved with it, for as long as the incident took to show",
                            "no other metric got worse by the step itself",
                        ),
                        numbered=True,
                    ),
                ),
            ),
            Part("Before closing", (Boxes(tuple((c.text, False) for c in settlement.checklist if c.state != "not_applicable")),)),
            Part(
                "Messages",
                (
                    Words("Status page:"),
                    Points(_lines(status_update(inv, state="investigating"))),
                    Words("Stakeholders:"),
                    Points(_lines(stakeholder_update(inv, state="investigating"))),
                ),
            ),
        ),
    )


def _step(action: str, target: str) -> str:
    return words.ACTIONS.get(action, action) + (f": {target}" if target else "")


def _lines(text: str) -> tuple[str, ...]:
    """Turn an update's Markdown into plain lines."""
    flat = (
        line.removeprefix("- ").replace("**", "").replace("\\", "").replace("&lt;", "<").replace("&#64;", "@")
        for line in text.splitlines()
    )
    return tuple(line for line in flat if line.strip())
