"""YAML that a stranger may have written: read without tags, aliases, duplicate keys or surprises."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from rca_kit.errors import BadInput

MAX_BYTES = 1_000_000  # an incident.yaml is a page; a megabyte is a mistake or an attack
MAX_DEPTH = 20  # the format itself is four levels deep


class _Loader(yaml.SafeLoader):
    """Safe loader that refuses aliases and duplicate keys, and knows only true and false as booleans."""

    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
        if self.check_event(yaml.AliasEvent):
            raise yaml.constructor.ConstructorError(None, None, "aliases (*name) are not allowed here", mark)
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise yaml.constructor.ConstructorError(None, None, f"nested deeper than {MAX_DEPTH} levels", mark)
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            name = str(key.value)
            if name in seen:
                raise yaml.constructor.ConstructorError(None, None, f"the key `{name}` stands twice", key.start_mark)
            seen.add(name)
        return super().construct_mapping(node, deep=deep)


# YAML 1.1 reads on, off, yes, no as booleans and 12:30 as a number in base 60; a column may well be called `on`.
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in rules if tag not in ("tag:yaml.org,2002:bool", "tag:yaml.org,2002:int")]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^[-+]?(?:0|[1-9][0-9]*)$"), list("-+0123456789"))


def load_yaml(path: Path) -> dict[str, Any]:
    r"""Read a YAML file that holds one mapping.

    Raises
    ------
    BadInput
        When the file is missing, too large, not UTF-8, not YAML, has tags, aliases or duplicate keys, or is no mapping.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "a.yaml"
    ...     _ = path.write_text("id: A-1\nroles: {label: on}")
    ...     load_yaml(path)
    {'id': 'A-1', 'roles': {'label': 'on'}}
    """
    name = path.name
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise BadInput("there is no such file", file=str(path), hint="`rca-kit new DIR --predictions FILE` writes one") from None
    except OSError as error:
        raise BadInput(f"cannot be read: {error.strerror}", file=str(path)) from None
    if len(raw) > MAX_BYTES:
        raise BadInput("is too large", file=name, found=f"{len(raw):,} bytes", expected=f"at most {MAX_BYTES:,}")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise BadInput("is not UTF-8 text", file=name, found=f"byte {raw[error.start]:#04x} in line {line}",
                       hint="save the file as UTF-8") from None
    return parse_yaml(text, name)


def parse_yaml(text: str, name: str) -> dict[str, Any]:
    """Parse the text of a YAML file that holds one mapping; see `load_yaml`.

    Examples
    --------
    >>> parse_yaml("{on: yes}", "a.yaml")
    {'on': 'yes'}
    """
    try:
        data = yaml.load(text, Loader=_Loader)  # noqa: S506 - _Loader derives from SafeLoader
    except yaml.YAMLError as error:
        raise BadInput("is not valid here: " + _short(error), file=name, expected="plain YAML without tags or aliases") from None
    except (RecursionError, ValueError) as error:
        raise BadInput(f"cannot be read as YAML: {error}", file=name) from None
    if not isinstance(data, dict):
        raise BadInput("does not hold keys and values", file=name, found=type(data).__name__ if data is not None else "nothing",
                       expected="keys such as id, title, detected_at, tables")
    return {str(key): value for key, value in data.items()}


def _short(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    return f"{problem} (line {mark.line + 1}, column {mark.column + 1})" if mark else str(problem)
