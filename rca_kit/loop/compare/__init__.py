"""Data comparison: which columns changed between two tables, and how."""
