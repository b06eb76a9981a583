"""Signatures: what each way to fail can mean, and which ways belong together."""

from __future__ import annotations

from rca_kit.case.names import tokens

# Which categories a signature can mean at all. How likely each is, is a weight.
CATEGORIES_OF: dict[str, tuple[str, ...]] = {
    "nulls": ("data", "upstream", "config", "code", "infra"),
    "default": ("data", "upstream", "config", "code", "infra"),
    "imputed": ("code", "data", "config", "upstream"),
    "clipped": ("config", "code", "data", "upstream"),
    "coarse": ("upstream", "code", "data"),
    "swapped": ("code", "data", "upstream"),
    "frozen": ("data", "upstream", "config", "code", "infra"),
    "stale": ("data", "config", "code", "upstream", "infra"),
    "range": ("data", "upstream", "code"),
    "unit": ("code", "upstream", "data"),
    "rescaled": ("code", "upstream", "data", "external"),
    "renamed": ("upstream", "code", "data"),
    "permuted": ("code", "upstream", "data"),
    "new_category": ("external", "upstream", "code", "data"),
    "clock": ("code", "upstream", "data"),
    "alone": ("data", "upstream", "code", "config"),
    "segment_lost": ("data", "infra", "upstream", "code"),
    "segment_surge": ("external",),
    "version": ("model", "code", "config"),
    "came_alive": ("upstream", "code", "config", "data"),
    "rerouted": ("config", "model"),
    "zeroed": ("code", "config", "data", "upstream", "infra"),
    "score_function": ("model", "code", "config"),
    "fallback": ("infra", "code", "config", "model"),
    "score_nulls": ("infra", "code", "model"),
    "threshold": ("config", "model"),
    "concept": ("external",),
    "hosted": ("upstream", "model"),
    "downstream": ("external", "code", "config", "upstream"),
    "downstream_here": ("code", "external", "config", "upstream"),
    "slow": ("code", "infra", "upstream", "config"),
    "error:timeout": ("infra", "upstream", "code", "config"),
    "error:cut_short": ("config", "infra", "upstream", "code"),
    "error:memory": ("infra", "code"),
    "error:upstream": ("upstream", "infra"),
    "error:code": ("code", "upstream", "config"),
    "error:limit": ("config", "infra"),
    "error:down": ("infra", "code", "upstream", "config"),
    "error:other": ("infra", "code", "upstream", "config"),
    "metric:cache": ("config", "infra", "code"),
    "metric:stale": ("data", "infra", "upstream", "config"),
    "metric:restart": ("infra", "code", "config"),
    "metric:memory": ("code", "infra", "config"),
    "metric:saturation": ("infra", "code", "config", "upstream", "external"),
    "metric:timeout": ("infra", "upstream", "config"),
    "metric:cut_short": ("config", "infra", "upstream", "code"),
    "metric:rows": ("data", "upstream", "infra"),
    "metric:requests": ("external", "infra"),
    "metric:other": ("infra", "code", "config", "upstream"),
    "surge": ("external",),
    "lull": ("external",),
    "lost": ("data", "infra", "code", "upstream"),
    "duplicates": ("data", "code", "infra"),
    "mix": ("external", "config"),
    "drift": ("external", "data", "code", "upstream"),
    "labels_lost": ("data", "upstream"),
    "labels_moved": ("data", "upstream"),
    "label_rate": ("external", "data"),
    "injected": ("external",),
    "text_quality": ("model", "config", "code", "upstream", "external"),
    "truncated": ("code", "config"),
    "text_length": ("external", "code", "config", "model", "upstream"),
}
GROUP: dict[str, str] = {
    **dict.fromkeys(("nulls", "default", "imputed", "frozen", "zeroed", "clipped"), "missing"),
    "came_alive": "broken",
    "stale": "stale",
    "metric:stale": "stale",
    "metric:rows": "stale",
    "coarse": "broken",
    **dict.fromkeys(("range", "unit", "rescaled", "renamed", "permuted", "swapped", "new_category", "clock", "alone"), "broken"),
    "segment_lost": "lost",
    "segment_surge": "surge",
    "version": "version",
    "rerouted": "version",
    "score_function": "scorer",
    "fallback": "scorer",
    "score_nulls": "scorer",
    "threshold": "cut",
    "concept": "concept",
    "hosted": "answers",
    **dict.fromkeys(("downstream", "downstream_here"), "downstream"),
    "slow": "slow",
    **dict.fromkeys(("error:timeout", "error:cut_short", "error:memory", "error:upstream"), "errors"),
    **dict.fromkeys(("error:code", "error:limit", "error:down", "error:other"), "errors"),
    "metric:cache": "cache",
    **dict.fromkeys(("metric:restart", "metric:memory", "metric:saturation", "metric:other"), "resources"),
    "metric:timeout": "timeouts",
    "metric:cut_short": "timeouts",
    "metric:requests": "requests",
    "surge": "surge",
    "lull": "surge",
    "lost": "lost",
    "duplicates": "lost",
    "mix": "mix",
    "drift": "drift",
    "labels_lost": "labels",
    "labels_moved": "labels",
    "label_rate": "labels",
    "truncated": "text",
    "injected": "text",
    "text_quality": "text",
    "text_length": "text",
}

FAULTS = (
    "nulls",
    "default",
    "imputed",
    "clipped",
    "coarse",
    "swapped",
    "frozen",
    "zeroed",
    "came_alive",
    "stale",
    "range",
    "unit",
    "renamed",
    "permuted",
    "clock",
    "truncated",
)
"""Signatures that say how a feature broke; they explain that it drifted."""
DRIFTS = ("drift", "alone", "rescaled", "new_category", "mix")
UNSURE = ("alone", "drift", "rescaled")  # of one feature that moved, and may be right all the same


ARMS = frozenset({"arm", "arms", "variant", "bucket", "treatment", "experiment", "abtest"})  # names of columns of experiments


def is_arm(column: str) -> bool:
    """Whether a column tells, by its name, who was given what by lot.

    Examples
    --------
    >>> is_arm("exp.arm"), is_arm("Alarm")
    (True, False)
    """
    return bool(ARMS & set(tokens(column)))


# names of columns that tell where a request was answered; a zone alone may be one of a town
MACHINES = frozenset({
    "node", "nodes", "nodo", "nodi", "noeud", "knoten", "hostname", "pod", "pods", "az", "rz", "cell", "cella",
    "cellule", "celula", "cluster", "klaster", "grappe", "instance", "instanz", "shard", "server", "serveur", "rack", "gpu",
    "pool", "replica", "datacenter", "datacentre", "dc", "machine", "worker",
})  # fmt: skip


# names of columns that tell where a request comes from: what serves it may stand there too
PLACES = frozenset({"zone", "zona", "region", "site", "location", "area", "edge", "country", "city", "strefa", "standort"})


def is_asked(column: str) -> bool:
    """Whether a column tells, by its name, what is asked or by whom, and not where it may be answered.

    Examples
    --------
    >>> is_asked("plate_reader"), is_asked("zone_kind"), is_asked("serving_pool"), is_asked("edge.site")
    (True, False, False, False)
    """
    return not is_machine(column) and not is_arm(column) and not PLACES & set(tokens(column))


def is_machine(column: str) -> bool:
    """Whether a column tells, by its name, which machine, pool or zone answered.

    Examples
    --------
    >>> is_machine("serving_pool"), is_machine("ctx.rz_zone"), is_machine("zone_kind"), is_machine("git host"), is_machine("host")
    (True, True, False, False, True)
    """
    words = tokens(column)
    return bool(MACHINES & set(words)) or words in (("host",), ("hosts",))  # code has hosts too
