"""The checks, one function each: a room in, an outcome out."""

from __future__ import annotations

from collections.abc import Callable

from rca_kit.loop.s4_suspects.checks import (
    alive,
    categories,
    clock,
    concept,
    cuts,
    downstream,
    drifts,
    model,
    recorded,
    relations,
    service,
    texts,
    traffic,
    values,
)
from rca_kit.loop.s4_suspects.clue import Outcome
from rca_kit.loop.s4_suspects.room import Room

CHECKS: tuple[Callable[[Room], Outcome], ...] = (
    values.nulls,
    values.values,
    alive.alive,
    categories.categories,
    clock.clock,
    model.versions,
    cuts.threshold,
    model.scoring,
    concept.concept,
    relations.relations,
    service.stages,
    service.errors,
    service.components,
    traffic.volume,
    traffic.segment_volume,
    traffic.mix,
    drifts.alone,
    drifts.drift,
    recorded.labels,
    recorded.outputs,
    texts.text_shift,
    texts.text_content,
    downstream.downstream,
)
