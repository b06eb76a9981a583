"""Step 6, Simulate: whether one targeted change removes the symptom."""
