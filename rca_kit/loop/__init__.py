"""The seven steps: the only place where aggregates meet statistics."""
