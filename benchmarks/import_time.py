"""Seconds to import the package and to start the command line, beside a bare interpreter: best of five each.

python benchmarks/import_time.py
"""

from __future__ import annotations

import subprocess
import sys
import time

RUNS = 5


def seconds(code: str) -> float:
    """Best wall time of fresh interpreters."""
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        times.append(time.perf_counter() - start)
    return min(times)


if __name__ == "__main__":
    floor = seconds("pass")
    for code in ("import rca_kit", "import rca_kit.cli", "import rca_kit.sources", "import polars, narwhals"):
        took = seconds(code)
        print(f"{code:25s} {took - floor:6.2f} s beyond the bare interpreter's {floor:.2f} s")
