"""Samples and models that replay tests ask: a good one, one that is wrong now and then, one that wavers."""

from __future__ import annotations

import numpy as np
import polars as pl


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def golden(n=4000, seed=0):
    rng = np.random.default_rng(seed)
    x, z = rng.normal(size=n), rng.normal(size=n)
    device = rng.choice(["ios", "android", "web"], n)
    return pl.DataFrame({"sample_id": [f"s{i}" for i in range(n)], "x": x, "z": z, "device": device,
                         "label": (rng.random(n) < sigmoid(1.5 * x + z - 1)).astype(int)})


def good(frame):
    return sigmoid(1.5 * np.asarray(frame["x"]) + np.asarray(frame["z"]) - 1)


def flipped(share, seed=1):
    """A model that turns its answer round for some samples."""
    def model(frame):
        p = good(frame)
        # told from the features, so that the same sample is always turned round
        key = np.abs(np.sin(1e4 * np.asarray(frame["x"]) + seed))
        return np.where(key < share * np.pi / 2, 1 - p, p)

    return model


def noisy(sd, seed=0):
    rng = np.random.default_rng(seed)

    def model(frame):
        return sigmoid(np.log(good(frame) / (1 - good(frame))) + sd * rng.normal(size=len(frame)))

    return model
