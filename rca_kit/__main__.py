"""Run the command line as `python -m rca_kit`."""

from __future__ import annotations

from rca_kit.cli import main

if __name__ == "__main__":
    main()
