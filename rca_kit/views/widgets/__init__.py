"""Explorers: one file each, thin over the session, which answers from memory and writes every decision into the journal.

`app.Explore` puts them together; `rca_kit.explore` opens a case in it.
"""
