"""Files written in one move: whoever reads one sees the old or the new content, never a part."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from rca_kit.errors import BadInput


def write_whole(path: Path, content: bytes) -> None:
    """Write a file beside its place and rename it; its permissions stay.

    Raises
    ------
    BadInput
        When it cannot be written; what was there stays.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_whole(Path(folder) / "a.txt", b"new")
    ...     (Path(folder) / "a.txt").read_bytes()
    b'new'
    """
    temporary = ""
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as stream:
            temporary = stream.name
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        mask = os.umask(0)
        os.umask(mask)
        Path(temporary).chmod(path.stat().st_mode & 0o7777 if path.exists() else 0o666 & ~mask)
        Path(temporary).replace(path)
    except OSError as error:
        raise BadInput(f"cannot be written: {error.strerror}", file=str(path)) from None
    finally:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
