"""Read a case once into everything the steps look at: sums, series, what moved, the two windows."""
