"""Conditions people type, ``"country == 'DE' and age < 25"``, read by a small parser of our own: nothing is ever evaluated."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import narwhals as nw

from rca_kit.errors import BadInput, did_you_mean

MOST_TOKENS = 500  # a condition is typed by a person; more is an accident, and would only deepen the recursion
_TOKEN = re.compile(
    r"""\s*(?:
        (?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?![\w.]))
      | (?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
      | `(?P<quoted>[^`]+)`
      | (?P<op>==|!=|<>|<=|>=|=|<|>|\(|\)|\[|\]|,|&&|\|\||&|\||!|~)
      | (?P<name>[^\W\d][\w.]*)
    )""",
    re.VERBOSE,
)
_WORDS = {"and", "or", "not", "in", "is", "true", "false", "null", "none", "missing"}
_SYMBOLS = {"&&": "and", "&": "and", "||": "or", "|": "or", "!": "not", "~": "not", "=": "==", "<>": "!="}
_FLIP = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}


@dataclass(frozen=True)
class _Token:
    kind: str  # number, text, name, op, word, end
    value: Any
    at: int


def parse_condition(text: str, schema: Mapping[str, Any]) -> nw.Expr:
    """Turn a typed condition into a narwhals expression.

    Known: ``== != < <= > >=``, chains like ``18 <= age < 25``, ``in (...)``, ``not in (...)``, ``is null``, ``is not null``,
    ``and or not`` (also ``& | ~``), brackets. Text stands in quotes; a column with spaces in backticks. A missing value differs
    from every value, so ``country != 'DE'`` holds for it.

    Parameters
    ----------
    text : str
    schema : mapping of column name to narwhals type

    Raises
    ------
    BadInput
        When the text cannot be read, names an unknown column, or compares a column with a value of another kind.

    Examples
    --------
    >>> import polars as pl
    >>> t = nw.from_native(pl.DataFrame({"country": ["DE", "FR", None], "age": [20, 30, 40]}))
    >>> t.filter(parse_condition("country == 'DE' or age >= 40", t.schema))["age"].to_list()
    [20, 40]
    """
    tokens = _tokens(text)
    parser = _Parser(text, tokens, schema)
    expression = parser.either()
    if parser.here.kind != "end":
        raise parser.error("something is left over")
    return expression


def where_expression(where: Mapping[str, Any], schema: Mapping[str, Any]) -> nw.Expr:
    """Turn a segment's conditions into a narwhals expression.

    Parameters
    ----------
    where : mapping
        Column to value, list of values, None (missing), or range ``{"ge": .., "lt": ..}``; joined by AND.
    schema : mapping of column name to narwhals type

    Raises
    ------
    BadInput
        When a column is unknown.

    Examples
    --------
    >>> import polars as pl
    >>> t = nw.from_native(pl.DataFrame({"age": [17, 20, 30]}))
    >>> t.filter(where_expression({"age": {"ge": 18, "lt": 25}}, t.schema))["age"].to_list()
    [20]
    """
    out: nw.Expr | None = None
    for name, condition in where.items():
        if name not in schema:
            raise BadInput("column is missing", column=name, found=", ".join(schema), hint=did_you_mean(name, schema))
        one = _one(name, condition, schema[name])
        out = one if out is None else out & one
    if out is None:  # all rows; a bare literal has no length
        first = nw.col(next(iter(schema)))
        return first.is_null() | ~first.is_null()
    return out


def _one(name: str, condition: Any, dtype: Any) -> nw.Expr:
    column = nw.col(name)
    if condition is None:
        return column.is_null()
    if isinstance(condition, Mapping):
        parts = [column >= condition["ge"]] if condition.get("ge") is not None else []
        parts += [column < condition["lt"]] if condition.get("lt") is not None else []
        out = ~column.is_null()
        for part in parts:
            out = out & part
        return out
    as_text = dtype in (nw.Categorical, nw.Enum) or (dtype != nw.String and _is_text(condition))  # codes are written as text too
    compare = column.cast(nw.String) if as_text else column
    if isinstance(condition, (list, tuple, set, frozenset)):
        known = [v for v in condition if v is not None]
        inside = compare.is_in(known)
        return inside | column.is_null() if len(known) < len(condition) else inside
    equal: nw.Expr = compare == condition
    return equal


def columns_in(text: str) -> tuple[str, ...]:
    """Name the columns a typed condition speaks of, without checking it.

    Examples
    --------
    >>> columns_in("`a b` == 'x' and age < 25")
    ('a b', 'age')
    """
    return tuple(dict.fromkeys(str(t.value) for t in _tokens(text) if t.kind == "name"))


def _is_text(condition: Any) -> bool:
    first = next(iter(condition), None) if isinstance(condition, (list, tuple)) else condition
    return isinstance(first, str)


def _tokens(text: str) -> list[_Token]:
    out, at = [], 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if match is None:
            raise BadInput(
                "the condition cannot be read",
                found=f"`{text[at:].strip()[:20]}` in `{text}`",
                expected="for example country == 'DE' and age < 25",
            )
        start, at = match.start(match.lastgroup or 0), match.end()
        kind = match.lastgroup or ""
        value: Any = match.group(kind)
        if kind == "number":
            value = float(value) if re.search(r"[.eE]", value) else int(value)
        elif kind == "text":
            value = re.sub(r"\\(.)", r"\1", value[1:-1])
        elif kind == "quoted":
            kind = "name"
        elif kind == "op":
            value = _SYMBOLS.get(value, value)
            kind = "word" if value in _WORDS else "op"
        elif value.lower() in _WORDS:
            kind, value = "word", value.lower()
        out.append(_Token(kind, value, start))
        if len(out) > MOST_TOKENS:
            raise BadInput("the condition is too long", found=f"more than {MOST_TOKENS} words", expected="a few comparisons")
    return [*out, _Token("end", "", len(text))]


class _Parser:
    def __init__(self, text: str, tokens: list[_Token], schema: Mapping[str, Any]) -> None:
        self.text, self.tokens, self.schema, self.at = text, tokens, schema, 0

    @property
    def here(self) -> _Token:
        return self.tokens[self.at]

    def take(self, *values: str) -> str | None:
        if self.here.kind in ("op", "word") and self.here.value in values:
            self.at += 1
            return str(self.tokens[self.at - 1].value)
        return None

    def error(self, message: str, hint: str | None = None) -> BadInput:
        shown = self.text[self.here.at :][:20] or "the end"
        return BadInput(
            f"the condition cannot be read: {message}",
            found=f"`{shown}` in `{self.text}`",
            expected="for example country == 'DE' and age < 25",
            hint=hint,
        )

    def either(self) -> nw.Expr:
        left = self.both()
        while self.take("or"):
            left = left | self.both()
        return left

    def both(self) -> nw.Expr:
        left = self.single()
        while self.take("and"):
            left = left & self.single()
        return left

    def single(self) -> nw.Expr:
        if self.take("not"):
            return ~self.single()
        if self.take("("):
            inside = self.either()
            if not self.take(")"):
                raise self.error("a bracket is not closed")
            return inside
        return self.comparison()

    def comparison(self) -> nw.Expr:
        if self.here.kind == "name":
            return self.of_column()
        value = self.literal()
        operator = self.take("==", "!=", "<", "<=", ">", ">=")
        if operator is None:
            raise self.error("a comparison is missing")
        name = self.column()
        expression = self.compare(name, _FLIP[operator], value)
        second = self.take("<", "<=", ">", ">=")
        return expression & self.compare(name, second, self.literal()) if second else expression

    def of_column(self) -> nw.Expr:
        name = self.column()
        if self.take("is"):
            negated = bool(self.take("not"))
            if not self.take("null", "none", "missing"):
                raise self.error("after `is` comes null or not null")
            return ~nw.col(name).is_null() if negated else nw.col(name).is_null()
        negated = bool(self.take("not"))
        if self.take("in"):
            closing = {"(": ")", "[": "]"}.get(self.take("(", "[") or "")
            if closing is None:
                raise self.error("a list of values stands in brackets")
            values = [self.literal()]
            while self.take(","):
                values.append(self.literal())
            if not self.take(closing):
                raise self.error("the list is not closed")
            inside = _one(name, [self.fitting(name, v) for v in values], self.schema[name])
            inside = inside.fill_null(False)
            return ~inside if negated else inside
        if negated:
            raise self.error("after `not` comes in (...)")
        operator = self.take("==", "!=", "<", "<=", ">", ">=")
        if operator is None:
            if self.schema[name] == nw.Boolean:
                return nw.col(name).fill_null(False)
            raise self.error("a comparison is missing")
        return self.compare(name, operator, self.literal())

    def column(self) -> str:
        token = self.here
        if token.kind != "name":
            raise self.error("a column is missing", "text values stand in quotes")
        if token.value not in self.schema:
            raise BadInput(
                "column is missing",
                column=token.value,
                found=", ".join(self.schema),
                hint=did_you_mean(token.value, self.schema) or "text values stand in quotes",
            )
        self.at += 1
        return str(token.value)

    def literal(self) -> Any:
        token = self.here
        if token.kind in ("number", "text"):
            self.at += 1
            return token.value
        word = self.take("true", "false", "null", "none", "missing")
        if word is None:
            raise self.error("a value is missing", "text values stand in quotes")
        return {"true": True, "false": False}.get(word)

    def fitting(self, name: str, value: Any) -> Any:
        """Turn a typed value into the column's kind, or say why it cannot be compared."""
        dtype = self.schema[name]
        if value is None or dtype in (nw.Categorical, nw.Enum, nw.Object, nw.Unknown):
            return value
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if dtype == nw.String and not isinstance(value, str):
            raise BadInput(
                "text is compared with a number",
                column=name,
                found=str(value),
                expected="text in quotes",
                hint=f"did you mean '{value}'?",
            )
        if dtype.is_numeric() and not number and not isinstance(value, bool):
            raise BadInput("a number is compared with text", column=name, found=repr(value), expected="a number without quotes")
        if dtype == nw.Boolean and not isinstance(value, bool):
            if value in (0, 1):
                return bool(value)
            raise BadInput(
                "a yes/no column is compared with something else", column=name, found=repr(value), expected="true or false"
            )
        return _time(name, value, dtype) if dtype.is_temporal() else value

    def compare(self, name: str, operator: str, value: Any) -> nw.Expr:
        value, column = self.fitting(name, value), nw.col(name)
        if value is None:
            if operator not in ("==", "!="):
                raise self.error("missing values have no order")
            return column.is_null() if operator == "==" else ~column.is_null()
        if self.schema[name] in (nw.Categorical, nw.Enum):
            column = column.cast(nw.String)
        if operator == "!=":
            different: nw.Expr = (column != value).fill_null(True)
            return different
        actions: dict[str, Callable[[Any], nw.Expr]] = {
            "==": column.__eq__,
            "<": column.__lt__,
            "<=": column.__le__,
            ">": column.__gt__,
            ">=": column.__ge__,
        }
        compared: nw.Expr = actions[operator](value).fill_null(False)
        return compared


def _time(name: str, value: Any, dtype: Any) -> Any:
    try:
        moment = datetime.fromisoformat(str(value).replace("Z", "+00:00"))
    except ValueError:
        raise BadInput(
            "a time is compared with something else",
            column=name,
            found=repr(value),
            expected="a time such as '2026-03-02T14:05:00Z'",
        ) from None
    if dtype == nw.Date:
        return date(moment.year, moment.month, moment.day)
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware if getattr(dtype, "time_zone", None) else aware.astimezone(UTC).replace(tzinfo=None)


def in_own_type(text: str, dtype: Any) -> Any:
    """A value that travelled as text, in its column's type.

    Examples
    --------
    >>> in_own_type("3", nw.Int64()), in_own_type("v3", nw.String())
    (3, 'v3')
    """
    if dtype == nw.Boolean:
        return text.lower() == "true"
    return int(float(text)) if dtype.is_integer() else float(text) if dtype.is_numeric() else text
