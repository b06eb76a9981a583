"""One thread for linear algebra: the matrices here are small, and threads that wait for each other cost more than they bring."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def one_thread(function: Callable[P, R]) -> Callable[P, R]:
    """Run a function with single-threaded BLAS and OpenMP, whose sums are then the same on any number of cores.

    Examples
    --------
    >>> one_thread(max)(1, 2)
    2
    """

    @wraps(function)
    def alone(*args: P.args, **kwargs: P.kwargs) -> R:
        from threadpoolctl import threadpool_limits

        with threadpool_limits(1):
            return function(*args, **kwargs)

    return alone
