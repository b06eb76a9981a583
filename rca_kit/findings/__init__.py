"""Result types of the seven steps. Findings are values: frozen, printable, serialisable."""
