"""Pure statistics: arrays in, small frozen results out; no frames, no I/O, no plotting."""
