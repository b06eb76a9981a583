"""Answer keys: what was planted in a generated incident, kept apart from the case folder."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rca_kit.errors import BadInput, did_you_mean

Where = dict[str, Any]


@dataclass(frozen=True)
class Key:
    """The truth about one case.

    `category`, `subject` and `change_id` are the best answer; the `*_ok` tuples are answers a fair judge would accept as
    well. `where` is a list of segments in the notation of findings.json, empty for all traffic. `onset` is UTC and None
    for a quiet case. `scope_time` tells whether the truth set of rows is simply `where` after the onset.

    Examples
    --------
    >>> k = Key("INC-1", "no_change", None, 60, (), None, None, None, "none", "noise-alert", "fraud", 7)
    >>> Key.from_dict(k.to_dict()) == k
    True
    """

    case_id: str
    verdict: str
    onset: datetime | None
    onset_tolerance_minutes: int
    where: tuple[Where, ...]
    category: str | None
    subject: str | None
    change_id: str | None
    mitigation: str
    mechanism: str
    world: str
    seed: int
    categories_ok: tuple[str, ...] = ()
    subjects_ok: tuple[str, ...] = ()
    changes_ok: tuple[str, ...] = ()
    innocent: tuple[str, ...] = ()
    harmless: tuple[str, ...] = ()
    summary: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        out = asdict(self)
        out["onset"] = self.onset.astimezone(UTC).isoformat().replace("+00:00", "Z") if self.onset else None
        return {k: list(v) if isinstance(v, tuple) else v for k, v in out.items()}

    @staticmethod
    def from_dict(data: dict[str, Any]) -> Key:
        """Read back what `to_dict` gave; unknown fields are refused with `BadInput`."""
        known = [f.name for f in fields(Key)]
        for name in data:
            if name not in known:
                raise BadInput(f"unknown field `{name}` in an answer key", hint=did_you_mean(name, known))
        clean: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items()}
        if clean.get("onset"):
            clean["onset"] = datetime.fromisoformat(clean["onset"].replace("Z", "+00:00"))
        return Key(**clean)

    def save(self, path: Path) -> None:
        """Write the key as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.to_dict(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

    @staticmethod
    def load(path: Path | str) -> Key:
        """Read a key; `BadInput` names the file when it is not one."""
        try:
            return Key.from_dict(json.loads(Path(path).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as bad:
            raise BadInput("this is not an answer key", file=str(path), found=str(bad)) from bad
