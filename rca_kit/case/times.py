"""Single times, as people write them in incident.yaml, change logs and commands: always made UTC."""

from __future__ import annotations

from datetime import UTC, date, datetime

from rca_kit.errors import BadInput

EARLIEST = datetime(1971, 1, 1, tzinfo=UTC)  # before this a number was hardly meant as a time
LATEST = datetime(2200, 1, 1, tzinfo=UTC)

# Epoch numbers by size: the bounds are 1971 and 2200 in each unit, which do not overlap.
EPOCH_UNITS: tuple[tuple[str, float, float], ...] = tuple(
    (unit, EARLIEST.timestamp() * per_second, LATEST.timestamp() * per_second)
    for unit, per_second in (("s", 1.0), ("ms", 1e3), ("us", 1e6), ("ns", 1e9))
)
PER_SECOND = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}
_FORMATS = (
    "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M", "%Y/%m/%d", "%d.%m.%Y %H:%M:%S",
    "%d.%m.%Y %H:%M", "%d.%m.%Y", "%Y%m%d", "%d %b %Y %H:%M", "%b %d %Y %H:%M",
)


def epoch_unit(value: float) -> str | None:
    """Tell the unit of an epoch number from its size, or None when it is no time between 1971 and 2200.

    Examples
    --------
    >>> epoch_unit(1772461500), epoch_unit(1772461500000), epoch_unit(42)
    ('s', 'ms', None)
    """
    return next((unit for unit, low, high in EPOCH_UNITS if low <= value < high), None)


def parse_time(value: object, *, file: str | None = None, column: str | None = None) -> tuple[datetime, bool]:
    """Read one time and say whether it carried its own offset.

    Parameters
    ----------
    value : datetime, date, str, int or float
        ISO 8601 with or without offset, a date, or an epoch number in s, ms, us or ns.
    file, column : str, optional
        Named in the error.

    Returns
    -------
    (datetime, bool)
        The time in UTC, and True when the offset was given (otherwise UTC was assumed).

    Raises
    ------
    BadInput
        When it is no time, or no time between 1971 and 2200.

    Examples
    --------
    >>> parse_time("2026-03-02T16:35:00+02:00")
    (datetime.datetime(2026, 3, 2, 14, 35, tzinfo=datetime.timezone.utc), True)
    >>> parse_time("2026-03-02 14:35")
    (datetime.datetime(2026, 3, 2, 14, 35, tzinfo=datetime.timezone.utc), False)
    >>> parse_time("1712123112")[0].year, parse_time("20260302")[0].day
    (2024, 2)
    """
    when, known = _read(value)
    if when is None or not EARLIEST <= when < LATEST:
        raise BadInput("is not a time", file=file, column=column, found=repr(value)[:80],
                       expected="a time like 2026-03-02T14:35:00Z")
    return when, known


def _read(value: object) -> tuple[datetime | None, bool]:
    if isinstance(value, datetime):
        return (value.astimezone(UTC), True) if value.tzinfo else (value.replace(tzinfo=UTC), False)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC), False
    if isinstance(value, bool):
        return None, False
    if isinstance(value, (int, float)):
        return _from_epoch(float(value)), True
    if not isinstance(value, str):
        return None, False
    text = " ".join(value.split())
    if text.isascii() and text.isdigit() and len(text) > len("20260302"):
        found = _from_epoch(float(text))  # first, since 1712123112 could also be read as a day in 1712
        if found is not None:
            return found, True
    zoned = text[:-3].rstrip() + "+00:00" if text.upper().endswith("UTC") else text
    try:
        return _read(datetime.fromisoformat(zoned))
    except ValueError:
        pass
    for form in _FORMATS:
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC), False
        except ValueError:
            continue
    try:
        return _from_epoch(float(text)), True
    except ValueError:
        return None, False


def _from_epoch(number: float) -> datetime | None:
    unit = epoch_unit(number)
    return None if unit is None else datetime.fromtimestamp(number / PER_SECOND[unit], tz=UTC)
