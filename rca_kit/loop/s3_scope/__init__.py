"""Step 3, Scope: which segments carry it."""
