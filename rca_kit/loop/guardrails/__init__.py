"""Guardrails as files that other tools run; `write.write_guardrails` writes all of a case."""
