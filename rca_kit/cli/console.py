"""What all commands share: output, errors with their exit codes, files written in one move."""

from __future__ import annotations

import importlib
import json
import os
import sys
import tempfile
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from rca_kit.errors import BadInput, RcaKitError, RunFailed

PLAIN_WIDTH = 140  # columns when the output is no terminal: tables in a log should not be folded to 80
EXIT_GATE_NO, EXIT_BAD_INPUT, EXIT_INCONCLUSIVE, EXIT_FAILED, EXIT_INTERRUPTED = 1, 2, 3, 4, 130


def out() -> Console:
    """Console for results."""
    return Console(width=None if sys.stdout.isatty() else PLAIN_WIDTH, highlight=False, soft_wrap=not sys.stdout.isatty())


def err() -> Console:
    """Console for messages, on standard error."""
    return Console(stderr=True, width=None if sys.stderr.isatty() else PLAIN_WIDTH, highlight=False,
                   soft_wrap=not sys.stderr.isatty())


def shown(value: object, style: str = "") -> Text:
    r"""Text that comes from data: no markup is read in it, and control characters are made visible.

    Examples
    --------
    >>> shown("[red]a\x1b[31m").plain
    '[red]a\\x1b[31m'
    """
    text = "".join(c if c.isprintable() or c in "\n" else repr(c)[1:-1] for c in str(value))
    return Text(text, style=style)


def guarded(run: Callable[[], None]) -> int:
    """Run a command; give its exit code, with one clear message on standard error for what went wrong."""
    try:
        run()
    except RcaKitError as error:
        _say("error", str(error))
        return error.exit_code
    except KeyboardInterrupt:
        return _interrupted()
    except SystemExit as stop:
        if stop.code == EXIT_INTERRUPTED:  # what typer makes of an interrupt, without a word
            return _interrupted()
        return stop.code if isinstance(stop.code, int) else 0 if stop.code is None else EXIT_GATE_NO
    except BrokenPipeError:
        # whoever read our output has gone; writing more would only raise again at exit
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        return _unexpected(error)
    return 0


def _interrupted() -> int:
    _say("stopped", "interrupted; nothing half-written is left")
    return EXIT_INTERRUPTED


def _unexpected(error: Exception) -> int:
    said = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}".rstrip(": ")
    try:
        handle, name = tempfile.mkstemp(prefix="rca-kit-", suffix="-traceback.txt")
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(traceback.format_exc())
        hint = f"\n  hint: this is a fault of the kit; please report it with {name}"
    except OSError:
        hint = "\n  hint: this is a fault of the kit; please report it"
    _say("failed", said[:300] + hint)
    return EXIT_FAILED


def _say(word: str, message: str) -> None:
    with suppress(OSError):
        err().print(Text(f"{word}: ", style="bold red").append(shown(message, style="not bold default")))


def to_json(value: Any) -> str:
    """Write plain types as the kit writes findings.json everywhere: two blanks, in the format's order, Unicode as it is.

    Examples
    --------
    >>> print(to_json({"a": [1]}), end="")
    {
      "a": [
        1
      ]
    }
    """
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def part(module: str, name: str) -> Any:
    """Load a function of the kit that only one command needs.

    Raises
    ------
    RunFailed
        When this version has no such part.

    Examples
    --------
    >>> part("rca_kit.errors", "did_you_mean")("scor", ["score"])
    'did you mean `score`?'
    """
    try:
        return getattr(importlib.import_module(module), name)
    except (ModuleNotFoundError, AttributeError) as error:
        if isinstance(error, ModuleNotFoundError) and error.name != module:
            raise
        raise RunFailed("this version of the kit cannot do that yet", found=f"no {module}.{name}") from None


def check_writable(path: Path) -> None:
    """Refuse an output file that could not be written, before any work is done.

    Raises
    ------
    BadInput
        When it is a folder, or its folder is missing or closed to writing.
    """
    if path.is_dir():
        raise BadInput("is a folder", file=str(path), expected="the name of a file to write")
    parent = path.parent
    if not parent.is_dir():
        raise BadInput("cannot be written: its folder does not exist", file=str(path))
    if not os.access(parent, os.W_OK):
        raise BadInput("cannot be written: no permission to write in its folder", file=str(path))


def write_whole(path: Path, text: str) -> None:
    """Write a file in one move: whoever reads it sees the old or the new content, never a part.

    Raises
    ------
    BadInput
        When it cannot be written; what was there stays.
    """
    from rca_kit.case.writing import write_whole as write  # late: a command that writes nothing need not load it

    write(path, text.encode("utf-8"))


def seconds(text: str | None) -> float | None:
    """Read a duration: seconds, or a number with s, m or h.

    Raises
    ------
    BadInput
        When it is none.

    Examples
    --------
    >>> seconds("60s"), seconds("1.5m"), seconds("90")
    (60.0, 90.0, 90.0)
    """
    if text is None:
        return None
    unit = {"s": 1, "m": 60, "h": 3600}.get(text[-1:].lower())
    try:
        value = float(text[:-1]) * unit if unit else float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise BadInput("a budget is a positive number of seconds", found=text, expected="such as 60s or 5m")
    return value
