"""The incident case: incident.yaml, the roles of its columns and their inference, the journal."""
