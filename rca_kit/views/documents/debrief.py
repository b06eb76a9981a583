"""The debrief of a training session: the score, each question beside truth and kit, and what to take home."""

from __future__ import annotations

from rca_kit.findings.drill import DrillScore
from rca_kit.views.documents.page import Block, Grid, Page, Part, Points, Words

STEP_TITLES = {
    "signal": "1 Signal",
    "symptom": "2 Symptom",
    "scope": "3 Scope",
    "suspects": "4 Suspects",
    "samples": "5 Samples",
    "simulate": "6 Simulate",
    "settle": "7 Settle",
}


def debrief(score: DrillScore) -> Page:
    """Write the debrief.

    Parameters
    ----------
    score : DrillScore
        From `rca_kit.training.score_session`.
    """
    figures = [
        ("points", f"{score.points:.0f} of 100"),
        ("minutes", f"{score.minutes_used:.0f} of {score.minutes_planned}" if score.minutes_used is not None else "not known"),
        ("hints", f"{score.hints}, {score.hint_cost:.0f} points" if score.hints else "none"),
        ("onset", "does not apply" if score.onset_error_minutes is None else f"{score.onset_error_minutes:+.0f} minutes"),
        ("segment", "does not apply" if score.scope_f1 is None else f"F1 {score.scope_f1:.2f} of rows"),
        ("false accusations", ", ".join(score.false_accusations) or "none"),
        ("tests that could not decide", ", ".join(score.wasted_tests) or "none"),
        ("risk of the first step", "none that fits" if score.mitigation_risk is None else f"{score.mitigation_risk} of 5"),
    ]
    parts = [
        Part(
            "What it was",
            (
                Words(score.story),
                Words(f"The kit's first suspect: {score.kit_first}."),
                *((Points(score.lessons),) if score.lessons else ()),
            ),
        ),
        Part("Figures", (Grid(("what", "value"), tuple(figures), "Figures"),)),
    ]
    for step, title in STEP_TITLES.items():
        of_step = [j for j in score.judged if j.step == step]
        if of_step:
            rows = tuple(
                (j.question.replace("_", " "), j.given, j.truth, j.kit, f"{j.points:.1f} of {j.of:.0f}") for j in of_step
            )
            why: list[str] = [
                f"{j.question.replace('_', ' ')}: {j.why}" + (f" Look at: {j.look_at.rstrip('.')}." if j.look_at else "")
                for j in of_step
            ]
            blocks: tuple[Block, ...] = (Grid(("question", "you", "truth", "the kit", "points"), rows, title), Points(tuple(why)))
            parts.append(Part(title, blocks))
    return Page(f"Debrief of {score.drill_id}: {score.title}", score.says(), tuple(parts))
