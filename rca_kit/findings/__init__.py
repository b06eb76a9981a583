"""Result types of the seven steps. Findings are values: frozen, printable, serialisable."""

from __future__ import annotations

from typing import Any


def schema() -> dict[str, Any]:
    """Give the JSON Schema (2020-12) of findings.json.

    It is strict: every key the kit writes is listed, and no others may appear. That the probabilities of the suspects sum to at
    most 1 is beyond JSON Schema.

    Returns
    -------
    dict
        A fresh copy, fit for any validator.

    Examples
    --------
    >>> schema()["properties"]["verdict"]["enum"]
    ['incident', 'benign_shift', 'no_change']
    """
    import json
    from importlib.resources import files

    text = files(__name__).joinpath("findings.schema.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found
