"""Whatever a user passes as a table becomes a narwhals lazy frame, and results go back in the same kind."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import narwhals as nw

from rca_kit.errors import BadInput

Frame = nw.LazyFrame[Any]


@dataclass(frozen=True)
class TableKind:
    """What kind of table a user passed, so that results can be given back in kind.

    `package` is the name narwhals has for it (polars, pandas, pyarrow, duckdb, pyspark ...) or `path`; `lazy` says whether
    the table was lazy. A path gives Polars frames back.
    """

    package: str
    lazy: bool

    def give_back(self, frame: Any) -> Any:
        """Turn a narwhals or Polars result into the user's kind; lazy engines get an eager Polars frame.

        Examples
        --------
        >>> import pandas as pd, polars as pl
        >>> kind = kind_of(pd.DataFrame({"a": [1]}))
        >>> type(kind.give_back(pl.DataFrame({"a": [1]}))).__module__.split(".")[0]
        'pandas'
        """
        wrapped = nw.from_native(frame) if not isinstance(frame, (nw.DataFrame, nw.LazyFrame)) else frame
        if isinstance(wrapped, nw.LazyFrame):
            wrapped = wrapped.collect(backend="polars")
        if self.package == "pandas":
            return wrapped.to_pandas()
        if self.package == "pyarrow":
            return wrapped.to_arrow()
        return wrapped.to_polars()


def kind_of(table: Any) -> TableKind:
    """Tell the kind of a table without touching its rows.

    Raises
    ------
    BadInput
        When it is no table that narwhals knows and no path.

    Examples
    --------
    >>> import polars as pl
    >>> kind_of(pl.LazyFrame({"a": [1]}))
    TableKind(package='polars', lazy=True)
    """
    if is_path(table):
        return TableKind("path", lazy=True)
    wrapped = _wrap(table)
    return TableKind(wrapped.implementation.value, isinstance(wrapped, nw.LazyFrame))


def is_path(table: Any) -> bool:
    """Whether the argument names files: a path, a string, or a list of them."""
    if isinstance(table, (str, os.PathLike)):
        return True
    return isinstance(table, Sequence) and bool(table) and all(isinstance(t, (str, os.PathLike)) for t in table)


def to_lazy(table: Any) -> Frame:
    """Give a narwhals lazy frame over a table or the files a path names. Nothing is read yet, except a file's head.

    Parameters
    ----------
    table : pandas, Polars (eager or lazy), PyArrow, DuckDB relation, PySpark frame, narwhals frame, path, or list of paths
        pandas and PyArrow tables are viewed through Polars, so that one code path computes on all eager frames. An index of a
        pandas frame is left out.

    Raises
    ------
    BadInput
        When it is none of these, has duplicate column names, or the path names no readable file.

    Examples
    --------
    >>> import pandas as pd
    >>> to_lazy(pd.DataFrame({"a": [1, None]})).collect()["a"].to_list()
    [1.0, None]
    """
    if is_path(table):
        from rca_kit.sources.files import scan

        paths = [table] if isinstance(table, (str, os.PathLike)) else list(table)
        lazy: Frame = nw.from_native(scan(Path.cwd(), tuple(str(p) for p in paths)).frame)
        return lazy
    wrapped = _wrap(table)
    if isinstance(wrapped, nw.LazyFrame):
        return wrapped
    viewed: Frame = nw.from_native(_to_polars(wrapped).lazy())
    return viewed


def _wrap(table: Any) -> nw.DataFrame[Any] | Frame:
    if isinstance(table, (nw.DataFrame, nw.LazyFrame)):
        return table
    try:
        found: nw.DataFrame[Any] | Frame = nw.from_native(table)
        if isinstance(found, nw.LazyFrame) and found.implementation.is_spark_like():
            from rca_kit.sources.spark import any_name, in_utc

            return any_name(nw.from_native(in_utc(table)))
        return found
    except TypeError:
        raise BadInput("this is no table", found=type(table).__name__,
                       expected="a pandas, Polars, PyArrow, DuckDB or PySpark table, or a path") from None
    except ValueError as error:  # narwhals refuses duplicate names
        raise BadInput("this table cannot be used: " + str(error).splitlines()[0], expected="column names that differ") from None
    except Exception as error:
        if "uplicate" in type(error).__name__ + str(error):
            raise BadInput("this table has duplicate column names", expected="column names that differ") from None
        raise


def _to_polars(frame: nw.DataFrame[Any]) -> Any:
    import polars as pl

    if frame.implementation.is_polars():
        return frame.to_native()
    if frame.implementation.is_pandas():
        # pandas keeps missing numbers as NaN, and whole numbers with holes as floats; both are nulls to everyone else
        return pl.from_pandas(_plain_objects(frame.to_native()), nan_to_null=True)
    return frame.to_polars()


def _plain_objects(frame: Any) -> Any:
    """Make mixed object columns text, as a CSV would hold them: Arrow has no column of several types."""
    import pandas as pd

    frame = frame.rename(columns=str) if any(not isinstance(c, str) for c in frame.columns) else frame
    mixed = {
        name: frame[name].map(lambda v: v if isinstance(v, str) or pd.isna(v) else str(v))
        for name in frame.columns
        if frame[name].dtype == object and pd.api.types.infer_dtype(frame[name], skipna=True).startswith("mixed")
    }
    return frame.assign(**mixed) if mixed else frame
