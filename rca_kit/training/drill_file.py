"""`drill.json`: what a started session is, with the scenario and the seed sealed from a glance.

The answer is in no file of the session. Scenario and seed make the case again, and with it the key, when the session is scored.
Sealing only keeps the name of the scenario, which tells much, from being read by chance: whoever wants to open it can.
"""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rca_kit.errors import BadInput

FILE_NAME = "drill.json"
VERSION = 1


@dataclass(frozen=True)
class DrillFile:
    """One started session.

    `scenario` is a slug of the kit, the path of a file of one's own (with `digest`, to notice that it changed), or empty when
    the key is kept apart because a real case is behind the session.

    Examples
    --------
    >>> import tempfile
    >>> d = DrillFile("DRILL-1", "AUC fell", 45, "quiet-day", 7)
    >>> path = d.save(tempfile.mkdtemp())
    >>> DrillFile.load(path) == d, "quiet-day" in path.read_text()
    (True, False)
    """

    id: str
    title: str
    minutes: int
    scenario: str
    seed: int
    digest: str = ""

    def save(self, folder: str | Path) -> Path:
        """Write `drill.json` into the session's folder."""
        data = asdict(self)
        sealed = {k: data.pop(k) for k in ("scenario", "seed", "digest")}
        path = Path(folder) / FILE_NAME
        path.write_text(json.dumps({"version": VERSION, **data, "sealed": seal(sealed)}, indent=2) + "\n", encoding="utf-8")
        return path

    @staticmethod
    def load(path: str | Path) -> DrillFile:
        """Read `drill.json` of a session's folder.

        Raises
        ------
        BadInput
            When the folder is no session, or the file was changed.
        """
        file = Path(path)
        if file.is_dir():
            file = file / FILE_NAME
        if not file.is_file():
            raise BadInput(
                "this is no training session",
                file=str(path),
                expected=f"a folder with {FILE_NAME}",
                hint="begin one with `rca-kit train start SLUG`",
            )
        try:
            data: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
            version = data.pop("version")
            data |= unseal(data.pop("sealed"))
            found = DrillFile(**data)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, zlib.error) as problem:
            raise BadInput(
                "cannot be read as a training session",
                file=str(file),
                found=str(problem),
                hint="the file is written by `rca-kit train start` and must stay as it is",
            ) from None
        if version != VERSION:
            raise BadInput("is of another version of the kit", file=str(file), found=str(version), expected=str(VERSION))
        return found


def seal(data: dict[str, Any]) -> str:
    """Pack plain data so that it cannot be read in passing.

    Examples
    --------
    >>> unseal(seal({"a": 1}))
    {'a': 1}
    """
    return base64.b32encode(zlib.compress(json.dumps(data, sort_keys=True).encode(), 9)).decode().lower().rstrip("=")


def unseal(text: str) -> dict[str, Any]:
    """Open what `seal` packed."""
    padded = text.upper() + "=" * (-len(text) % 8)
    data = json.loads(zlib.decompress(base64.b32decode(padded)))
    if not isinstance(data, dict):
        raise ValueError("not a mapping")
    return data


def digest_of(path: Path) -> str:
    """Fingerprint of a scenario file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
