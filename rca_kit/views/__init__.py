"""Views only read findings: figures, HTML report, Markdown summary, widgets."""
