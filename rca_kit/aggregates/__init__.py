"""Mergeable sums over the request log: cells, moments, histograms. One scan."""
