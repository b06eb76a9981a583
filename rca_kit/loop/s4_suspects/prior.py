"""Weights an engineer would write down before seeing any data: log-odds per piece of evidence.

Fitting starts here and may move only as far as generated incidents insist (ridge); a name that no fit has seen keeps its value.
"""

from __future__ import annotations

# How likely a subject that shows this is the cause, rather than a consequence or a bystander.
SIGN: dict[str, float] = {
    "nulls": 3.0,
    "default": 3.0,
    "imputed": 3.0,
    "clipped": 3.0,
    "coarse": 3.0,
    "swapped": 4.0,
    "frozen": 3.0,
    "stale": 2.5,
    "range": 2.5,
    "unit": 4.0,
    "rescaled": 2.5,
    "renamed": 3.5,
    "permuted": 3.0,
    "clock": 4.0,
    "alone": 2.0,
    "segment_lost": 3.0,
    "segment_surge": 2.0,
    "new_category": 1.0,
    "version": 2.0,
    "score_function": 1.5,
    "rerouted": 2.5,
    "came_alive": 2.5,
    "zeroed": 3.0,
    "error:limit": 2.0,
    "fallback": 1.0,
    "score_nulls": 1.0,
    "threshold": 4.0,
    "concept": 1.5,
    "hosted": 2.0,  # who hosts a model for others exchanges it when he likes, and says so in a mail
    "downstream": 1.5,
    "downstream_here": 1.5,
    "slow": 2.0,
    "error:timeout": 1.0,
    "error:cut_short": 1.0,
    "error:memory": 1.0,
    "error:upstream": 1.0,
    "error:code": 1.0,
    "error:down": 1.0,
    "error:other": 1.0,
    "metric:cache": 2.5,
    "metric:stale": 2.5,
    "metric:restart": 2.5,
    "metric:memory": 2.0,
    "metric:saturation": 2.0,
    "metric:timeout": 2.0,
    "metric:cut_short": 2.0,
    "metric:rows": 2.5,
    "metric:requests": 0.5,
    "metric:other": 1.0,
    "surge": 1.5,
    "lull": 2.5,
    "lost": 2.0,
    "duplicates": 3.5,
    "mix": 1.0,
    "drift": 0.5,
    "labels_lost": 1.5,
    "labels_moved": 1.7,  # a world that changed its mind looks the same until somebody asks the labellers
    "label_rate": 0.5,
    "truncated": 2.5,
    "injected": 4.0,
    "text_quality": 3.0,
    "text_length": 1.0,
}
# How likely each category is for a signature when nothing else is known (probabilities).
CATEGORY: dict[str, dict[str, float]] = {
    "nulls": {"data": 0.3, "upstream": 0.3, "config": 0.2, "code": 0.1, "infra": 0.1},
    "default": {"data": 0.25, "upstream": 0.15, "config": 0.25, "code": 0.25, "infra": 0.1},
    "imputed": {"code": 0.6, "data": 0.2, "config": 0.12, "upstream": 0.08},
    "clipped": {"config": 0.3, "code": 0.25, "data": 0.33, "upstream": 0.12},
    "coarse": {"upstream": 0.5, "code": 0.3, "data": 0.2},  # sold by grade, cast or rounded
    "swapped": {"code": 0.7, "data": 0.25, "upstream": 0.05},
    "frozen": {"data": 0.4, "config": 0.25, "upstream": 0.15, "code": 0.1, "infra": 0.1},
    "stale": {"data": 0.55, "config": 0.15, "code": 0.1, "upstream": 0.1, "infra": 0.1},
    "range": {"data": 0.5, "upstream": 0.25, "code": 0.25},
    "unit": {"code": 0.6, "upstream": 0.3, "data": 0.1},
    "rescaled": {"code": 0.5, "upstream": 0.2, "data": 0.15, "external": 0.15},
    "renamed": {"upstream": 0.45, "code": 0.45, "data": 0.1},
    "permuted": {"code": 0.7, "upstream": 0.2, "data": 0.1},
    "new_category": {"external": 0.4, "upstream": 0.3, "code": 0.2, "data": 0.1},
    "clock": {"code": 0.85, "upstream": 0.1, "data": 0.05},
    "alone": {"upstream": 0.35, "code": 0.3, "data": 0.3, "config": 0.05},
    "segment_lost": {"data": 0.5, "infra": 0.25, "upstream": 0.15, "code": 0.1},
    "segment_surge": {"external": 1.0},
    "version": {"model": 0.8, "code": 0.1, "config": 0.1},
    "score_function": {"model": 0.55, "code": 0.25, "config": 0.2},
    "fallback": {"infra": 0.4, "code": 0.2, "config": 0.2, "model": 0.2},
    "score_nulls": {"infra": 0.5, "code": 0.3, "model": 0.2},
    "threshold": {"config": 0.8, "model": 0.2},
    "concept": {"external": 1.0},
    "hosted": {"upstream": 0.85, "model": 0.15},
    # people changed their minds, or the page that shows the answers changed; in one channel alone it is the page
    "downstream": {"external": 0.6, "code": 0.25, "config": 0.1, "upstream": 0.05},
    "downstream_here": {"code": 0.55, "external": 0.25, "config": 0.15, "upstream": 0.05},
    "rerouted": {"config": 0.8, "model": 0.2},
    "came_alive": {"upstream": 0.5, "code": 0.2, "config": 0.2, "data": 0.1},
    "zeroed": {"code": 0.4, "config": 0.35, "data": 0.15, "upstream": 0.05, "infra": 0.05},
    "error:limit": {"config": 0.8, "infra": 0.2},
    "slow": {"code": 0.3, "infra": 0.35, "upstream": 0.2, "config": 0.15},
    "error:timeout": {"infra": 0.5, "upstream": 0.25, "code": 0.1, "config": 0.15},
    "error:cut_short": {"config": 0.45, "infra": 0.3, "upstream": 0.2, "code": 0.05},
    "error:memory": {"infra": 0.4, "code": 0.6},
    "error:upstream": {"upstream": 0.7, "infra": 0.3},
    "error:code": {"code": 0.65, "upstream": 0.25, "config": 0.1},
    "error:down": {"infra": 0.65, "code": 0.15, "upstream": 0.1, "config": 0.1},  # nobody answers
    "error:other": {"infra": 0.4, "code": 0.3, "upstream": 0.15, "config": 0.15},
    "metric:cache": {"config": 0.45, "infra": 0.45, "code": 0.1},
    "metric:stale": {"data": 0.6, "infra": 0.13, "upstream": 0.13, "config": 0.14},
    "metric:restart": {"infra": 0.45, "code": 0.45, "config": 0.1},
    "metric:memory": {"code": 0.55, "infra": 0.35, "config": 0.1},
    "metric:saturation": {"infra": 0.5, "code": 0.25, "config": 0.15, "upstream": 0.05, "external": 0.05},
    "metric:cut_short": {"config": 0.5, "infra": 0.25, "upstream": 0.2, "code": 0.05},
    "metric:timeout": {"infra": 0.45, "upstream": 0.35, "config": 0.2},
    "metric:rows": {"data": 0.75, "upstream": 0.15, "infra": 0.1},
    "metric:requests": {"external": 0.8, "infra": 0.2},
    "metric:other": {"infra": 0.5, "code": 0.2, "config": 0.2, "upstream": 0.1},
    "surge": {"external": 1.0},
    "lull": {"external": 1.0},
    "lost": {"data": 0.4, "infra": 0.3, "code": 0.2, "upstream": 0.1},
    "duplicates": {"data": 0.6, "code": 0.3, "infra": 0.1},
    "mix": {"external": 0.9, "config": 0.1},
    "drift": {"external": 0.6, "data": 0.15, "code": 0.15, "upstream": 0.1},
    "labels_lost": {"data": 0.85, "upstream": 0.15},
    "labels_moved": {"data": 0.8, "upstream": 0.2},  # outcomes that a partner reports
    "label_rate": {"external": 0.6, "data": 0.4},
    "truncated": {"code": 0.7, "config": 0.3},
    "injected": {"external": 1.0},
    "text_quality": {"model": 0.3, "config": 0.3, "code": 0.2, "upstream": 0.15, "external": 0.05},
    "text_length": {"external": 0.3, "code": 0.25, "config": 0.2, "model": 0.15, "upstream": 0.1},
}
# What kind of entry a cause of each category leaves in the change log (probabilities of the kind given the category).
KIND: dict[str, dict[str, float]] = {
    "data": {"data_pipeline": 0.75, "infra_change": 0.05, "schema_change": 0.05, "code_deploy": 0.05, "other": 0.1},
    "model": {"model_deploy": 0.85, "experiment": 0.05, "flag_change": 0.04, "config_change": 0.03, "other": 0.03},
    "code": {
        "code_deploy": 0.8,
        "infra_change": 0.03,
        "model_deploy": 0.05,
        "schema_change": 0.05,
        "flag_change": 0.04,
        "other": 0.03,
    },
    "infra": {"infra_change": 0.75, "config_change": 0.1, "code_deploy": 0.05, "other": 0.1},
    "config": {"config_change": 0.55, "flag_change": 0.22, "experiment": 0.15, "infra_change": 0.03, "other": 0.05},
    "upstream": {"upstream_notice": 0.6, "schema_change": 0.3, "other": 0.1},
    "external": {"campaign": 0.55, "calendar": 0.35, "upstream_notice": 0.02, "other": 0.08},
}
KIND_FLOOR = 0.015  # people file things under odd kinds
KIND_BASE = 1 / 12  # twelve kinds: what an innocent entry's kind says by chance
OTHERS: dict[str, float] = {
    # columns that break together come from one place: a supplier, a store, a job
    "together:upstream": 0.8,
    "together:config": 0.3,
    "together:data": 0.2,
    "together:code": -0.2,
    # a clue on the subject that a cause of this category does not leave
    "category:unfit": -1.5,
    "estranged:external": -1.2,
    "truth_moved": -1.2,
    "stayed:external": -3.0,
    "carried_elsewhere": -2.5,  # all of it lies in requests that one part answered slowly or not at all
    "unheeded": -2.5,  # no score depended on the input: what else got worse has another reason
    "abroad": -1.5,  # it drifted as much where nobody was hurt
    "bystander": -1.5,  # labels or rows were lost and no outcome got worse: what else is new did nothing
    # the scope is an arm of an experiment
    "drawn:config": 1.5,
    "drawn:external": -3.0,
    "drawn:upstream": -1.0,
    "drawn:infra": -1.0,
    "change:among": -0.5,  # most entries say of themselves that they are about something else: n of them are not n rivals
    "change:time": 0.8,
    "change:scope_match": 1.5,
    "change:scope_clash": -2.0,
    "change:scope_narrow": -1.0,
    "change:names_subject": 1.5,
    "change:names_value": 1.2,  # without a scope of its own, it says in words who is affected
    "change:words": 1.0,
    "change:words_elsewhere": -0.4,
    "change:aside": -4.0,
    "change:no_guests": -1.5,  # a campaign that brought nobody
    "change:version_match": 2.0,
    "change:version_clash": -1.5,
    # that the log names a new version and who brought it tells which entry it is, not that it did harm: all of them are logged
    "version:logged": -4.0,
    # against many entries some fit by chance, and of guilty changes one in five is not logged, in logs of others one in three
    "change:none": 1.9,
    # machines and jobs fail though nobody changed a thing; who changes code, settings or a model mostly writes it down
    "unlogged:infra": 0.3,
    "unlogged:data": 0.1,
    "unlogged:external": 0.1,  # nor does the world keep a log
    "unlogged:upstream": -0.1,
    "unlogged:code": -0.2,
    "unlogged:config": -0.3,
    "unlogged:model": -0.3,
    "change:nearest": 0.3,
    "change:elsewhere": -0.9,  # about what no metric of the service knows: an innocent entry in three, a guilty one in twenty
    # one machine, zone or pool is hit, and what runs on the others is the same
    "machine:infra": 0.7,
    "machine:code": -0.7,
    "machine:model": -0.7,
    "machine:upstream": -0.5,
    "machine:data": -0.5,
    "machine:external": -1.0,
    # what is asked decides who is hit: of incidents of six authors 5 of 80 that were a machine's, 45 of 100 of the code's
    "asked:infra": -0.9,
    "change:akin": 1.2,
    "owner:outside": 1.0,
    "change:names_other_feature": -1.0,
    "change:other_component": -0.7,  # who calls may be at fault: its time-outs and retries are its own
    "harm": 1.0,
    "harmless": -1.0,
    "side_by_side": 1.5,
    "served_well": -1.2,  # it served alone for a while, and nothing was wrong
    "starts:with": 0.5,
    "starts:before": -0.2,
    "starts:after": -0.8,
    "starts:apart": -1.2,
    "other": 1.0,
    # a new version explains a changed scorer; cache misses explain nulls; saturation explains slowness and time-outs
    "beside:scorer|version": 1.0,
    "beside:version|scorer": -1.0,
    "beside:cache|missing": -0.7,
    "beside:missing|cache": 1.0,
    "beside:missing|slow": -1.0,
    "beside:stale|stale": 0.5,
    "beside:missing|mix": -1.0,
    "beside:broken|mix": -1.5,
    "beside:missing|concept": -1.5,
    "beside:broken|concept": -1.5,
    "beside:version|concept": -1.0,
    # what breaks requests or answers moves outcomes too
    "beside:broken|labels": -1.0,
    "beside:missing|labels": -1.0,
    "beside:scorer|labels": -1.0,
    "beside:version|labels": -1.0,
    "beside:broken|drift": -1.0,
    "beside:missing|drift": -1.0,
    "beside:text|drift": -1.0,
    "beside:text|broken": -0.5,
    "beside:text|concept": -1.0,
    "beside:text|labels": -1.0,
    "beside:slow|resources": 0.5,
    "beside:resources|slow": -0.3,
    "beside:mix|surge": 0.5,
    "family:quality|slow": -2.5,
    "family:quality|resources": -1.0,
    "family:quality|errors": -1.0,
    "family:service|concept": -3.0,
    "family:service|scorer": -2.0,
    "family:service|cut": -3.0,
    "family:service|mix": -1.5,
    "family:service|drift": -2.0,
    "family:service|slow": 1.0,
    "family:service|resources": 0.5,
    "family:quality|surge": -1.0,
    "family:service|labels": -3.0,
}


def prior_weight(name: str) -> float:
    """Weight of one piece of evidence before any fitting.

    Examples
    --------
    >>> prior_weight("sign:nulls")
    3.0
    >>> prior_weight("kind:model_deploy|model") > prior_weight("kind:campaign|model")
    True
    """
    import math

    head, _, tail = name.partition(":")
    if head == "sign":
        return SIGN.get(tail, 0.0)
    if head == "category" and "|" in tail:
        category, _, signature = tail.partition("|")
        return math.log(max(CATEGORY.get(signature, {}).get(category, 0.02), 0.02))
    if head == "kind":
        kind, _, category = tail.partition("|")
        return math.log(max(KIND[category].get(kind, 0.0), KIND_FLOOR) / KIND_BASE)
    return OTHERS.get(name, 0.0)
