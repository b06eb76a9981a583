"""Sample incidents, their generator, answer keys, scoring and drills."""
