"""Change logs out of the tools that make changes: git, MLflow's registry, GitHub deployments, Kubernetes events."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from datetime import datetime
from typing import cast

from rca_kit.errors import BadInput, did_you_mean
from rca_kit.sources.feeds.text import Feed

FEEDS = {"git": "git", "mlflow": "mlflow_registry", "github-deployments": "github", "k8s-events": "kubernetes"}


def read_feed(source: str, since: datetime | None = None, until: datetime | None = None, component: str = "") -> Feed:
    """Read the changes that a tool recorded.

    Parameters
    ----------
    source : str
        `git:PATH`, `git:PATH#BRANCH`, `mlflow:URI`, `github-deployments:FILE` or `k8s-events:FILE`.
    since, until : datetime, optional
        Only changes at or after, and before, these times.
    component : str
        Names the component where the tool does not.

    Raises
    ------
    BadInput
        When the kind is not known, or what it names cannot be read.

    Examples
    --------
    >>> read_feed("gti:.")
    Traceback (most recent call last):
    ...
    rca_kit.errors.BadInput: no such kind of source
      found: gti:.
      expected: git:..., mlflow:..., github-deployments:..., k8s-events:...
      hint: did you mean `git`?
    """
    kind, colon, rest = source.partition(":")
    expected = ", ".join(f"{k}:..." for k in FEEDS)
    if kind not in FEEDS:
        raise BadInput("no such kind of source", found=source[:80], expected=expected, hint=did_you_mean(kind, FEEDS))
    if not colon or not rest.strip():
        raise BadInput("the source names nothing to read", found=source[:80], expected=expected)
    # by name, since each brings libraries that the others need not have
    read = cast("Callable[..., Feed]", importlib.import_module(f"{__name__}.{FEEDS[kind]}").read)
    feed = read(rest, since=since, until=until, component=component)
    kept = tuple(c for c in feed.changes if (since is None or c.time >= since) and (until is None or c.time < until))
    return Feed(tuple(sorted(kept, key=lambda c: (c.time, c.id))), feed.notes)
