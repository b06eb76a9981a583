"""Deploy-aligned analysis: what the main metric did at the time of each logged change."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from rca_kit.errors import BadInput
from rca_kit.findings.symptom import DeployEffect
from rca_kit.loop.reading.names import public
from rca_kit.loop.reading.picture import Picture

STRETCH_S = 86400  # on either side of a change: with more, what happened days later would bend the line of an innocent change
LEAST_SIDE = 6  # coarse buckets on either side that a level and a slope need
SECONDS_PER_HOUR = 3600


def deploy_effects(picture: Picture, name: str, changes: Sequence[tuple[str, datetime]]) -> tuple[DeployEffect, ...]:
    """Estimate the jump and the change of slope of one series at each logged change (interrupted time series).

    Changes too near either end of the log to tell anything are left out.
    """
    from rca_kit.stats.changepoint import interrupted_time_series

    if name not in picture.series:
        return ()
    grid = picture.grid
    seen = picture.series[name].detection()
    reach = max(round(STRETCH_S / grid.coarse_s), LEAST_SIDE)
    out = []
    for change_id, when in changes:
        at = grid.index(when) // grid.coarse
        if not LEAST_SIDE <= at <= grid.n_coarse - LEAST_SIDE:
            continue
        try:
            near = slice(max(at - reach, 0), at + reach)
            fit = interrupted_time_series(
                seen.value[near], at - near.start, standard_errors=seen.error[near], period=grid.period()
            )
        except BadInput:  # too few measured buckets on one side
            continue
        scale = SECONDS_PER_HOUR / grid.coarse_s
        low, high = fit.slope_interval
        out.append(
            DeployEffect(
                change_id,
                when,
                public(name),
                fit.level_change,
                fit.level_interval,
                fit.slope_change * scale,
                (low * scale, high * scale),
                fit.level_p,
            )
        )
    return tuple(out)
