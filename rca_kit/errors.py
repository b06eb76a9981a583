"""Every error a user can meet: what was found, what was expected, and a hint.

Exit codes: 2 for `BadInput` and its kin, 4 for `RunFailed`. A traceback is for bugs only.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class RcaKitError(Exception):
    """Root of all errors the kit raises on purpose.

    Parameters
    ----------
    message : str
        What is wrong, in one sentence.
    file, column : str, optional
        Where it is.
    found, expected, hint : str, optional
        What stood there, what should have stood there, what to try.

    Examples
    --------
    >>> print(BadInput("column is missing", file="p.parquet", column="scroe", hint="did you mean `score`?"))
    p.parquet: column `scroe`: column is missing
      hint: did you mean `score`?
    """

    exit_code = 2

    def __init__(
        self,
        message: str,
        *,
        file: str | None = None,
        column: str | None = None,
        found: str | None = None,
        expected: str | None = None,
        hint: str | None = None,
    ) -> None:
        self.message = message
        self.file = file
        self.column = column
        self.found = found
        self.expected = expected
        self.hint = hint
        super().__init__(str(self))

    def __str__(self) -> str:
        where = f"{self.file}: " if self.file else ""
        where += f"column `{self.column}`: " if self.column else ""
        lines = [where + self.message]
        for name in ("found", "expected", "hint"):
            value = getattr(self, name)
            if value:
                lines.append(f"  {name}: {value}")
        return "\n".join(lines)


class BadInput(RcaKitError):
    """The case, a table, a parameter or an argument cannot be used as it is."""


class MissingExtra(BadInput):
    """An optional engine or library is asked for and not installed."""

    @classmethod
    def of(cls, extra: str, package: str) -> MissingExtra:
        """Name the package that is missing and how to install the extra that brings it."""
        return cls(f"`{package}` is not installed", hint=f'pip install "rca-kit[{extra}]"')


class RunFailed(RcaKitError):
    """A run stopped part-way; a partial report says how far it came."""

    exit_code = 4


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """Return a hint naming the nearest known spelling, or None when nothing is near.

    Examples
    --------
    >>> did_you_mean("scroe", ["score", "label"])
    'did you mean `score`?'
    """
    choices = list(known)
    lowered = {c.lower(): c for c in choices}
    near = get_close_matches(name.lower(), list(lowered), n=1, cutoff=0.6)
    return f"did you mean `{lowered[near[0]]}`?" if near else None
