"""What kind of task the model has, when incident.yaml does not say."""

from __future__ import annotations

from rca_kit.case.columns import ColumnSummary
from rca_kit.case.evidence import Evidence
from rca_kit.case.names import tokens, words
from rca_kit.case.outcomes import ERROR_METRICS, MANY

_RANKING = words("rank position slate ndcg ranking relevance posicion platz relevanz")
_TEXTS = words("prompt response answer question completion message reply output input text translation conversation query "
               "utterance frage antwort reponse pregunta respuesta domanda risposta source_text target_text body comment review")


def infer_task(given: str | None, score: str | None, label: str | None, decision: str | None, evidence: Evidence,
               metric: str | None) -> tuple[str, str]:
    """Tell the task and why; the reason is empty when the task is given.

    Examples
    --------
    >>> infer_task(None, None, "y", None, Evidence([ColumnSummary("y", "bool", "Boolean", 2, 0, None, None)], []), "auc")
    ('binary', '`y` has two values')
    """
    if given:
        return given, ""
    texts = [c.name for c in evidence.columns.values() if c.kind == "text"]
    spoken = [n for n in texts if set(tokens(n)) & _TEXTS]
    if spoken and not (label and evidence.columns[label].n_unique > 2):
        return "text", f"`{spoken[0]}` holds text that people and models write"
    truth = evidence.columns[label] if label else None
    if score and truth is not None and truth.n_unique == 2 and any(set(tokens(n)) & _RANKING for n in (score, *_codes(evidence))):
        return "ranking", "there are positions or relevances"
    if truth is not None and truth.n_unique:
        return _from_label(truth, score, evidence)
    answer = evidence.columns[decision] if decision else None
    if answer is not None and answer.n_unique > 2:
        return "multiclass", f"`{decision}` has {answer.n_unique} classes"
    if metric in ERROR_METRICS:
        return "regression", f"the alert is on {metric}"
    if answer is None and texts:
        return "text", f"there are texts (`{texts[0]}`) and no label"
    if answer is None and any(set(tokens(n)) & _RANKING for n in evidence.columns):
        return "ranking", "there are positions and no label"
    if score:
        c = evidence.columns[score]
        outside = isinstance(c.min, (int, float)) and isinstance(c.max, (int, float)) and not (c.min >= 0 and c.max <= 1)
        if outside and answer is None:
            return "regression", f"`{score}` goes beyond 0..1"
        return "binary", f"`{score}` lies in 0..1"
    return "binary", "nothing tells otherwise"


def _codes(evidence: Evidence) -> list[str]:
    """Columns of whole numbers from 0 or 1 up, as positions are."""
    return [c.name for c in evidence.columns.values()
            if c.kind == "numeric" and "Int" in c.dtype and c.min in (0, 1)
            and isinstance(c.max, (int, float)) and c.n_unique > c.max - 1 > 1]


def _from_label(truth: ColumnSummary, score: str | None, evidence: Evidence) -> tuple[str, str]:
    if truth.n_unique <= 2:
        return "binary", f"`{truth.name}` has two values" if truth.n_unique == 2 else f"`{truth.name}` has one value so far"
    if truth.kind == "numeric":
        fractions = "Float" in truth.dtype and truth.n_unique > MANY
        beyond = False
        if score:
            c = evidence.columns[score]
            beyond = isinstance(c.max, (int, float)) and c.max > 1
        if fractions or truth.n_unique > 2 * MANY or beyond:
            return "regression", f"`{truth.name}` is a number with {truth.n_unique:,} values"
    return "multiclass", f"`{truth.name}` has {truth.n_unique} classes"
