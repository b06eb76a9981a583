"""Credentials come from the environment or a secrets file, and are never shown: not in reports, errors or notebooks."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from rca_kit.errors import BadInput, did_you_mean

SECRETS_FILE = "RCA_KIT_SECRETS"  # environment variable that names a file of NAME=value lines
HIDDEN = "***"
SHORT = 4  # values this short stand in every text; hiding them would hide nothing and spoil the message
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_PASSWORD_IN_URI = re.compile(r"(?i)([a-z][a-z0-9+.-]*://)[^\s/@'\"]*:[^\s@'\"]+@")
_PASSWORD_IN_QUERY = re.compile(r"(?i)\b((?:password|passwd|pwd|sslpassword|token|secret)\s*=\s*)[^\s&'\"]+")
_known: set[str] = set()


def filled(text: str, where: str) -> str:
    """Replace ``${NAME}`` by the value of that environment variable, or of that name in the secrets file.

    Parameters
    ----------
    text : str
        For example ``postgresql://kit:${PG_PASSWORD}@db/log``.
    where : str
        What holds the text, for the error.

    Raises
    ------
    BadInput
        When a name is set nowhere.

    Examples
    --------
    >>> os.environ["EXAMPLE_HOST"] = "db.example"
    >>> filled("postgresql://${EXAMPLE_HOST}/log", "tables.predictions.uri")
    'postgresql://db.example/log'
    """
    names = list(dict.fromkeys(_VARIABLE.findall(text)))
    held = _from_file() if any(n not in os.environ for n in names) else {}
    values = {}
    for name in names:
        value = os.environ.get(name, held.get(name))
        if value is None:
            raise BadInput(f"the variable `{name}` is not set", file=where, hint=did_you_mean(name, [*held, *os.environ])
                           or f"set it in the environment, or in a file of NAME=value lines that {SECRETS_FILE} names")
        remember(value)
        values[name] = value
    return _VARIABLE.sub(lambda m: values[m.group(1)], text)


def refuse_password(uri: str, where: str) -> None:
    """Refuse a URI that holds a password: a case folder is shared, mailed and archived.

    Raises
    ------
    BadInput
        When there is one that is not written as ``${NAME}``.

    Examples
    --------
    >>> refuse_password("postgresql://kit:${PG_PASSWORD}@db/log", "incident.yaml")
    >>> refuse_password("postgresql://kit:hunter2@db/log", "incident.yaml")
    Traceback (most recent call last):
    ...
    rca_kit.errors.BadInput: incident.yaml: holds a password
      expected: the name of an environment variable, such as postgresql://user:${PG_PASSWORD}@host/database
      hint: leave it out where PGPASSWORD, .pgpass or a service file give it
    """
    bare = _VARIABLE.sub("", uri)
    password = _password_of(bare)
    if password or _PASSWORD_IN_QUERY.search(bare):
        remember(password)
        raise BadInput("holds a password", file=where,
                       expected="the name of an environment variable, such as postgresql://user:${PG_PASSWORD}@host/database",
                       hint="leave it out where PGPASSWORD, .pgpass or a service file give it")


def remember(secret: str) -> None:
    """Note a secret, so that `scrub` hides it from now on."""
    if len(secret) > SHORT:
        _known.update({secret, unquote(secret), quote(secret, safe="")})


def scrub(text: str) -> str:
    """Hide known secrets, and what looks like a password in a URI.

    Examples
    --------
    >>> scrub("cannot reach postgresql://kit:hunter2@db/log")
    'cannot reach postgresql://***@db/log'
    """
    for secret in sorted(_known, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return _PASSWORD_IN_QUERY.sub(rf"\1{HIDDEN}", _PASSWORD_IN_URI.sub(rf"\1{HIDDEN}@", text))


def _password_of(uri: str) -> str:
    try:
        return urlsplit(uri).password or ""
    except ValueError:
        return ""


def _from_file() -> dict[str, str]:
    name = os.environ.get(SECRETS_FILE)
    if not name:
        return {}
    try:
        lines = Path(name).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise BadInput(f"the secrets file cannot be read: {error.strerror}", file=SECRETS_FILE) from None
    pairs = (line.partition("=") for line in lines if "=" in line and not line.lstrip().startswith("#"))
    return {k.strip().removeprefix("export "): v.strip().strip("'\"") for k, _, v in pairs}
