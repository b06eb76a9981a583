"""Files of a table: found, recognised, checked part by part, and scanned lazily as one Polars frame."""

from __future__ import annotations

import gzip
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import polars as pl

from rca_kit.errors import BadInput, did_you_mean
from rca_kit.sources.text import UTF8_HINT, check_jsonl, jsonl_columns, not_utf8, sniff_csv

FORMATS = {
    ".parquet": "parquet", ".pq": "parquet", ".csv": "csv", ".tsv": "csv", ".txt": "csv", ".csv.gz": "csv", ".tsv.gz": "csv",
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".jsonl.gz": "jsonl", ".ndjson.gz": "jsonl", ".arrow": "ipc", ".ipc": "ipc",
    ".feather": "ipc",
}
EAGER_TEXT_BYTES = 192_000_000  # text up to this size is parsed once and kept; beyond it is turned into Parquet once
GZIP_FACTOR = 8  # logs compress about this much
INFER_ROWS = 100_000  # rows that decide the types of text too large to be read twice
# "NA" is Namibia and "-" may be a category: only words that can hardly be values are null
NULL_WORDS = ["", "null", "NULL", "None", "NaN", "nan", "<NA>", "NaT"]
_numbers = count()
_temporary: list[tempfile.TemporaryDirectory[str]] = []  # removed when the interpreter ends


@dataclass(frozen=True)
class Scanned:
    """A table over its files: a lazy Polars frame, the parts, and what a reader should know."""

    frame: pl.LazyFrame
    files: tuple[Path, ...]
    warnings: tuple[str, ...] = ()
    label: str = ""  # what it is called where it is more than its files: a query, a table of an engine

    @property
    def names(self) -> tuple[str, ...]:
        """What messages and reports call it, part by part."""
        return (self.label,) if self.label else tuple(f.name for f in self.files)


def scan(folder: Path, patterns: tuple[str, ...], *, file: str = "") -> Scanned:
    r"""Scan the files that paths or globs name, relative to a folder.

    Parameters
    ----------
    folder : Path
    patterns : tuple of str
        Paths, globs or folders; several parts must have the same columns.
    file : str, optional
        What named them (for the error).

    Raises
    ------
    BadInput
        When a file is missing, unreadable, of unknown or mixed format, or a part has other columns or types.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as d:
    ...     for n in (1, 2):
    ...         _ = (Path(d) / f"part-{n}.csv").write_text(f"a,b\n{n},x\n")
    ...     scan(Path(d), ("part-*.csv",)).frame.collect()["a"].to_list()
    [1, 2]
    """
    if any("://" in p for p in patterns):
        shown = ", ".join(p.partition("?")[0] for p in patterns)  # what follows may be a signature
        return Scanned(_remote(patterns), tuple(Path(p) for p in patterns), label=shown)
    files = find(folder, patterns, file)
    kinds = {f: format_of(f) for f in files}
    odd = next((f for f in files if kinds[f] != kinds[files[0]]), None)
    if odd is not None:
        raise BadInput("the parts of one table have different formats", file=odd.name, found=kinds[odd], expected=kinds[files[0]])
    kind = kinds[files[0]]
    if kind in ("csv", "jsonl"):
        return _scan_text(files, kind)
    schemas = {f: _schema(f, kind) for f in files}
    common = common_schema(schemas)
    first = schemas[files[0]]
    if all(schemas[f] == first for f in files):
        reader = pl.scan_parquet if kind == "parquet" else pl.scan_ipc
        return Scanned(reader(list(files), glob=False), files)
    parts = [_scan_one(f, kind).select(pl.col(n).cast(t) for n, t in common.items()) for f in files]
    return Scanned(pl.concat(parts), files, (_cast_note(first, common, files[0]),))


def find(folder: Path, patterns: tuple[str, ...], file: str = "") -> tuple[Path, ...]:
    """Resolve paths, globs and folders to files, in a stable order without repeats.

    Raises
    ------
    BadInput
        When one of them names no file.
    """
    found: dict[Path, None] = {}
    for pattern in patterns:
        path = Path(pattern) if Path(pattern).is_absolute() else folder / pattern
        if path.is_file():
            hits = [path]
        elif path.is_dir():
            hits = sorted(p for p in path.rglob("*") if p.is_file() and _ending(p) in FORMATS)
        elif any(c in pattern for c in "*?["):
            absolute = Path(pattern).is_absolute()
            root = Path(path.anchor) if absolute else folder
            hits = sorted(p for p in root.glob(str(path.relative_to(path.anchor)) if absolute else pattern) if p.is_file())
        else:
            hits = []
        if not hits:
            near = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
            raise BadInput("there is no such file", file=file or pattern, found=f"nothing at `{pattern}`" if file else None,
                           hint=did_you_mean(path.name, near))
        found.update(dict.fromkeys(hits))
    return tuple(found)


def format_of(path: Path) -> str:
    """Tell the format from the ending of the name.

    Raises
    ------
    BadInput
        When the ending is unknown.

    Examples
    --------
    >>> format_of(Path("log.csv.gz"))
    'csv'
    """
    kind = FORMATS.get(_ending(path))
    if kind is None:
        raise BadInput("the format is not known from the ending of its name", file=path.name, found=_ending(path) or "no ending",
                       expected=", ".join(FORMATS))
    return kind


@contextmanager
def explained(file: str) -> Iterator[None]:
    """Turn what an engine raises while reading into one clear message about the file.

    Examples
    --------
    >>> with explained("p.csv"):
    ...     raise pl.exceptions.ComputeError("invalid utf-8 sequence")
    Traceback (most recent call last):
    ...
    rca_kit.errors.BadInput: p.csv: is not UTF-8 text
      hint: save the file as UTF-8, or convert it with `iconv -f latin1 -t utf8`
    """
    try:
        yield
    except pl.exceptions.PolarsError as error:
        raise _explain(file, error) from None
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise BadInput("is not a readable gzip file: damaged or cut off", file=file, hint="fetch the file again") from None
    except OSError as error:
        raise BadInput(f"cannot be read: {error.strerror or str(error).splitlines()[0]}", file=file) from None


def common_schema(schemas: dict[Path, pl.Schema], *, written: bool = False) -> dict[str, pl.DataType]:
    """Find the types that hold all parts; numbers widen, an all-null column takes the type of the others.

    Types that a reader guessed from text (`written`) may differ by a single junk value: then the column stays text.

    Raises
    ------
    BadInput
        When a part has other columns, or a type that the first part's cannot be reconciled with.

    Examples
    --------
    >>> common_schema({Path("a"): pl.Schema({"x": pl.Int64}), Path("b"): pl.Schema({"x": pl.Float64})})
    {'x': Float64}
    """
    files = list(schemas)
    common = dict(schemas[files[0]])
    for path in files[1:]:
        here = schemas[path]
        missing, extra = [c for c in common if c not in here], [c for c in here if c not in common]
        if missing or extra:
            what = [f"lacks {', '.join(missing)}"] if missing else []
            what += [f"has {', '.join(extra)} beside"] if extra else []
            raise BadInput("this part has other columns than the first", file=path.name, found="; ".join(what),
                           expected=f"the columns of {files[0].name}",
                           hint=did_you_mean(extra[0], missing) if missing and extra else None)
        for name, dtype in here.items():
            common[name] = _wider(common[name], dtype, name, path, files[0], written=written)
    return common


def _wider(a: pl.DataType, b: pl.DataType, name: str, part: Path, first: Path, *, written: bool) -> pl.DataType:
    if a == b or b == pl.Null:
        return a
    if a == pl.Null:
        return b
    if a.is_numeric() and b.is_numeric():
        both_int = a.is_integer() and b.is_integer()
        return pl.Int64() if both_int else pl.Float64()
    texts = (pl.String, pl.Categorical, pl.Enum)
    if isinstance(a, texts) and isinstance(b, texts):
        return pl.String()
    if isinstance(a, (pl.Datetime, pl.Date)) and isinstance(b, (pl.Datetime, pl.Date)):
        zones = {getattr(t, "time_zone", None) for t in (a, b)}
        if len(zones) == 1:
            return pl.Datetime("us", zones.pop())
    if written and not a.is_nested() and not b.is_nested():
        return pl.String()
    raise BadInput("this part has another type than the first", file=part.name, column=name, found=str(b),
                   expected=f"{a}, as in {first.name}")


def _cast_note(first: pl.Schema, common: dict[str, pl.DataType], path: Path) -> str:
    changed = [n for n, t in common.items() if first.get(n) != t]
    named = f" ({', '.join(changed)})" if changed else ""
    return f"{path.name} and other parts: types differ between parts and were widened{named}"


def _schema(path: Path, kind: str) -> pl.Schema:
    with explained(path.name):
        return _scan_one(path, kind).collect_schema()
    raise AssertionError  # pragma: no cover - explained never swallows


def _scan_one(path: Path, kind: str) -> pl.LazyFrame:
    return pl.scan_parquet(path, glob=False) if kind == "parquet" else pl.scan_ipc(path, glob=False)


def _scan_text(files: tuple[Path, ...], kind: str) -> Scanned:
    """Parse text once: kept in memory when small, else turned into Parquet in a temporary folder."""
    size = sum(f.stat().st_size * (GZIP_FACTOR if f.suffix == ".gz" else 1) for f in files)
    small = size <= EAGER_TEXT_BYTES
    parts: dict[Path, pl.LazyFrame] = {}
    notes: list[str] = []
    for path in files:
        if kind == "csv":
            sniffed = sniff_csv(path)
            if sniffed.delimiter not in (",", "\t"):
                notes.append(f"{path.name}: read as separated by `{sniffed.delimiter}`")
            options = {"separator": sniffed.delimiter}
        else:
            check_jsonl(path)
            options = {}
        with explained(path.name):
            parts[path] = _keep(path, kind, options) if small else _to_parquet(path, kind, options)
    common = common_schema({f: p.collect_schema() for f, p in parts.items()}, written=True)
    lazy = [p.select(pl.col(n).cast(t) for n, t in common.items()) if len(parts) > 1 else p for p in parts.values()]
    return Scanned(pl.concat(lazy) if len(lazy) > 1 else lazy[0], files, tuple(notes))


def _keep(path: Path, kind: str, options: dict[str, str]) -> pl.LazyFrame:
    _check_utf8(path)
    frame = _text_reader(path, kind, options, None).collect()
    empty = [c.name for c in frame.iter_columns() if c.null_count() == len(c)]
    return frame.with_columns(pl.lit(None).alias(n) for n in empty).lazy()  # without a value there is no type either


def temporary_file(name: str) -> Path:
    """Give a new path in a temporary folder that goes when the interpreter ends.

    Examples
    --------
    >>> temporary_file("a.parquet") != temporary_file("a.parquet")
    True
    """
    if not _temporary:
        _temporary.append(tempfile.TemporaryDirectory(prefix="rca-kit-"))
    return Path(_temporary[0].name) / f"{next(_numbers)}-{name}"


def _to_parquet(path: Path, kind: str, options: dict[str, str]) -> pl.LazyFrame:
    target = temporary_file(f"{path.name}.parquet")
    try:
        _text_reader(path, kind, options, INFER_ROWS).sink_parquet(target, compression="lz4")
    except pl.exceptions.ComputeError:
        # a value beyond the first rows did not fit the type they suggested: look at all of them
        target.unlink(missing_ok=True)
        _text_reader(path, kind, options, None).sink_parquet(target, compression="lz4")
    return pl.scan_parquet(target, glob=False)


def _text_reader(path: Path, kind: str, options: dict[str, str], infer: int | None) -> pl.LazyFrame:
    if kind == "csv":
        return pl.scan_csv(path, separator=options["separator"], infer_schema_length=infer, null_values=NULL_WORDS, glob=False,
                           low_memory=infer is not None)
    return _in_order(pl.scan_ndjson(path, infer_schema_length=infer), jsonl_columns(path))


def _in_order(frame: pl.LazyFrame, first: list[str]) -> pl.LazyFrame:
    """Columns in a fixed order: those of the first lines as they come, later ones by name."""
    names = frame.collect_schema().names()
    known = [n for n in first if n in names]
    return frame.select(*known, *sorted(set(names) - set(known)))


def _check_utf8(path: Path) -> None:
    """Find the line of the first byte that is no UTF-8: the engine's own message names none."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rb") as stream:
        raw = stream.read()
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise not_utf8(path.name, raw, error) from None


def _explain(file: str, error: Exception) -> BadInput:
    text = str(error)
    first = text.splitlines()[0] if text else type(error).__name__
    if "utf-8" in text:
        return BadInput("is not UTF-8 text", file=file, hint=UTF8_HINT)
    if "more than one occurrence" in text or "uplicate" in text:
        return BadInput("has duplicate column names", file=file, found=first, expected="column names that differ")
    if "more fields than" in text:
        return BadInput("a line has more fields than the header", file=file, hint="quote values that hold the delimiter")
    if "empty CSV" in text:
        return BadInput("is empty", file=file, expected="a header and at least one row")
    if Path(file).suffix in (".parquet", ".pq"):
        return BadInput("is not a readable Parquet file: damaged or cut off", file=file, found=first, hint="fetch the file again")
    if Path(file).suffix in (".arrow", ".ipc", ".feather"):
        return BadInput("is not a readable Arrow file: damaged or cut off", file=file, found=first, hint="fetch the file again")
    return BadInput("cannot be read", file=file, found=first[:200])


def _remote(patterns: tuple[str, ...]) -> pl.LazyFrame:
    kind = format_of(Path(patterns[0].split("?")[0]))
    with explained(patterns[0]):
        if kind == "parquet":
            return pl.scan_parquet(list(patterns))
        if kind == "ipc":
            return pl.scan_ipc(list(patterns))
        if kind == "csv":
            return pl.scan_csv(list(patterns), infer_schema_length=INFER_ROWS, null_values=NULL_WORDS)
        return _in_order(pl.scan_ndjson(list(patterns), infer_schema_length=INFER_ROWS), [])
    raise AssertionError  # pragma: no cover - explained never swallows


def _ending(path: Path) -> str:
    name = path.name.lower()
    return "." + ".".join(name.rsplit(".", 2)[1:]) if name.endswith(".gz") else path.suffix.lower()
