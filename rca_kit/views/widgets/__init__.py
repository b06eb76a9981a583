"""Explorers for the notebook, one file each; thin shells over plain functions and tables."""
