"""Neutral names: every original name or value gets one alias, the same wherever it stands, that tells its kind and nothing else.

Some words steer the kit: a component called a gateway, a metric that is an age, an error that is a time-out. Their aliases carry
another word of the same meaning, so that the exercise tells the same story without a word of the original.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

import numpy as np

_LISTED = (
    "alder amber anise arbor aspen aster basil birch bison bluff briar brook cedar clover comet coral cove crane creek crocus "
    "cumin cypress daisy delta dingo dune eagle egret elder ember fable falcon fennel fern finch fjord flint garnet geyser glade "
    "grove gull hazel heron holly indigo iris ivory jasper juniper kelp koala lagoon larch laurel lemur lilac linden lotus lynx "
    "maple marten meadow mesa mint moss myrtle nettle nutmeg oasis olive onyx opal orchid osprey otter pansy pebble peony "
    "plover plum prairie quail quartz raven reef robin rowan rubus saffron sage sedge sienna sorrel spruce stork sumac swan "
    "teal thistle thyme tulip umber violet vireo walnut wren yarrow zinnia"
)
WORDS: tuple[str, ...] = tuple(_LISTED.split())
# Words of one meaning to the kit, group by group; the first free one of the group is taken.
COMPONENT_ROLES: tuple[tuple[str, ...], ...] = (
    ("store", "cache", "redis", "database", "vendor", "fetch", "feature"),  # cached features answer for these
    ("gateway", "ingress", "proxy", "balancer", "edge", "front", "ingest"),  # limits are set here
)
METRIC_ROLES: tuple[tuple[str, ...], ...] = (
    ("miss", "misses"),
    ("cache_hit", "hit"),
    ("stale", "age", "lag", "fresh", "delay"),
    ("restart", "crash", "oom", "evict"),
    ("heap", "memory", "rss", "mem", "gc"),
    ("queue", "cpu", "gpu", "util", "saturation", "load", "thread", "pool", "connection", "disk", "iops"),
    ("timeout", "error", "fail", "5xx", "reject", "unavailable"),
    ("rps", "qps", "throughput", "request"),
)
ERROR_ROLES: tuple[tuple[str, ...], ...] = (
    ("quota", "throttl", "429", "limit", "too_many"),
    ("deadline", "slow", "time"),
    ("oom", "killed", "memory", "crash", "restart"),
    ("upstream", "dependency", "502", "503", "504", "vendor", "partner", "third", "api", "gateway"),
    ("parse", "schema", "decode", "assert", "value", "type", "key", "serial", "null", "valid", "index"),
)
KPI_ROLES: tuple[tuple[str, ...], ...] = (("unsafe", "toxic", "harm", "injection", "leak", "abuse"),)
DEFAULTS = ("undefined", "default", "missing", "unknown", "other", "none", "null", "n/a", "?", "-1", "0")
# Metric names of the case format: they name no one.
PUBLIC_METRICS = (
    "cpu_utilization",
    "gpu_utilization",
    "memory_mb",
    "restarts",
    "queue_depth",
    "cache_hit_rate",
    "feature_age_s",
    "timeouts",
    "requests",
)


class Aliases:
    """One alias per original text.

    Parameters
    ----------
    rng : numpy Generator
        Where the choice comes from.
    originals : iterable of str
        Every original text of the case; no alias equals one or holds one of at least four letters.

    Examples
    --------
    >>> a = Aliases(np.random.default_rng(0), ["country", "DE", "de", "api-gateway"])
    >>> a.value("country", "DE").lower() == a.value("country", "de"), a.column("country", "seg") == a.column("country", "seg")
    (True, True)
    >>> a.role("api-gateway", COMPONENT_ROLES).startswith("ingress-")
    True
    """

    def __init__(self, rng: np.random.Generator, originals: Iterable[str]) -> None:
        self._taken = {o.strip().casefold() for o in originals if o and o.strip()}
        self._text = "\n".join(sorted(self._taken))
        self._long = sorted(o for o in self._taken if len(o) >= 4)
        free = [w for w in WORDS if w not in self._text]
        self._pool = [free[int(i)] for i in rng.permutation(len(free))]
        self._next = 0
        self._known: dict[str, str] = {}
        self._values: dict[str, dict[str, int]] = {}
        self._roots: dict[str, str] = {}

    def known(self) -> dict[str, str]:
        """Every original that has an alias so far."""
        return dict(self._known)

    def _word(self) -> str:
        at, turn = self._next % len(self._pool), self._next // len(self._pool)
        self._next += 1
        word: str = self._pool[at]
        return word + (str(turn + 1) if turn else "")

    def _free(self, alias: str) -> bool:
        low = alias.casefold()
        return low not in self._taken and not any(o in low for o in self._long)

    def _keep(self, original: str, candidates: Sequence[str]) -> str:
        alias = next((c for c in candidates if self._free(c)), None)
        while alias is None or alias in self._known.values():
            alias = self._word()
            alias = alias if self._free(alias) else None
        self._known[original] = alias
        return alias

    def column(self, original: str, prefix: str) -> str:
        """Name a column; the prefix tells its kind."""
        if original not in self._known:
            word = self._word()
            self._keep(original, (f"{prefix}_{word}", f"{prefix[0]}_{word}", word))
        return self._known[original]

    def role(self, original: str, groups: tuple[tuple[str, ...], ...], sign: str = "-") -> str:
        """Name a component, metric or error so that it keeps its meaning to the kit."""
        if original not in self._known:
            low = original.casefold()
            found = next((g for g in groups if any(w in low for w in g)), ())
            word = self._word()
            self._keep(original, [*(f"{w}{sign}{word}" for w in found if w not in self._taken and w not in low), word])
        return self._known[original]

    def value(self, domain: str, original: str) -> str:
        """Name one value of a categorical column; spellings of one value stay spellings of one alias."""
        if original in self._known:
            return self._known[original]
        if original.strip().casefold() in DEFAULTS:
            spare = [d for d in DEFAULTS if d not in self._taken]
            return self._keep(original, spare[:1])
        base = plain_form(original)
        root = self._roots.setdefault(domain, self._word())
        numbers = self._values.setdefault(domain, {})
        number = numbers.setdefault(base, len(numbers) + 1)
        sign = next((c for c in original.strip() if not c.isalnum()), "")
        plain = f"{root}{sign}{number}"
        mixed = plain[0] + plain[1:].title() if original != original.lower() else plain
        styled = plain.upper() if original.isupper() else plain.title() if original[:1].isupper() else mixed
        padded = original.replace(original.strip(), styled) if original.strip() else styled
        return self._keep(original, (padded, f"{padded}{sign or '.'}"))

    def versions(self, originals: Sequence[str]) -> None:
        """Name model versions in their natural order, which tells the new one from the old."""
        word = self._word()
        for i, v in enumerate(sorted(set(originals), key=natural), 1):
            if v not in self._known:
                self._keep(v, (f"{word}-{i}", f"{word}{i}"))

    def mentions(self, text: str) -> list[str]:
        """Aliases of the originals that a text names, in the order of the text."""
        spaced = f" {_spaced(text)} "
        hits = []
        for original, alias in self._known.items():
            form = _spaced(original)
            if len(form) >= 2 and f" {form} " in spaced:
                hits.append((spaced.index(f" {form} "), -len(form), alias))
        return list(dict.fromkeys(a for _, _, a in sorted(hits)))


def plain_form(text: str) -> str:
    """Reduce a value to what it means: no case, accents or punctuation."""
    bare = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return re.sub(r"[\W_]+", "", bare.casefold()) or text


def natural(text: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key in which v9 comes before v10."""
    return tuple((0, int(t), "") if t.isdigit() else (1, 0, t) for t in re.findall(r"\d+|\D+", text))


def _spaced(text: str) -> str:
    return re.sub(r"[\W_]+", " ", str(text).lower()).strip()
