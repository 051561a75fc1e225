"""Exclusive contracts that end within the horizon: on that day their work may go to other places."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from capsim.compile.constraints import RESEARCH_WORK, exclusive_until, forbidden_places, tenant_places
from capsim.compile.prepare import porting_efficiency
from capsim.compile.regions import base_name
from capsim.control.autoscale import Autoscaler
from capsim.control.context import Context


def forbid(ctx: Context, tokens: NDArray[np.float64]) -> None:
    """Note today's forbidden places; clear the rates of services there, shape (services + 1, places).

    Research below a node belongs to no tenant: places dedicated to tenants are not for it. Rates are also
    cleared where a service or research has no copy of its data.
    """
    prepared = ctx.prepared
    ctx.forbidden = forbidden_places(prepared, ctx.draws.converts, prepared.calendar.day(ctx.now))
    for s, service in enumerate(prepared.study.demand.inference):
        tokens[s, list(ctx.forbidden.get(("inference", service.name), ()))] = 0.0
        tokens[s, list(ctx.without_data.get(("inference", base_name(service.name)), ()))] = 0.0
    shared_out = ctx.forbidden.get(RESEARCH_WORK, frozenset()) | tenant_places(prepared, None)
    tokens[-1, list(shared_out | ctx.without_data.get(RESEARCH_WORK, set()))] = 0.0


def admit(ctx: Context, autoscaler: Autoscaler, tokens: NDArray[np.float64], speed: dict[int, float]) -> None:
    """From now on services and research use every place that neither contracts nor data keep them from.

    Args:
        tokens: tokens/s of a replica where nothing is forbidden, shape (services + 1, places).
        speed: speed of research by place where nothing is forbidden.
    """
    allowed = tokens.copy()
    forbid(ctx, allowed)
    autoscaler.allow(allowed)
    barred = ctx.forbidden.get(RESEARCH_WORK, frozenset()) | ctx.without_data.get(RESEARCH_WORK, set())
    for p in sorted(speed.keys() - ctx.research_speed.keys() - barred):
        place = ctx.places()[p]
        ctx.research_speed[p] = speed[p]
        ported = ctx.prepared.ports[place.family]
        ctx.set_efficiency(p, porting_efficiency(ctx.prepared.study, place.family, ported, ctx.now))


def start_exclusivity(
    ctx: Context, autoscaler: Autoscaler, tokens: NDArray[np.float64], speed: dict[int, float]
) -> None:
    """Start one process if an exclusive contract of the strategy ends within the horizon.

    Args:
        tokens: tokens/s of a replica where nothing is forbidden, shape (services + 1, places).
        speed: speed of research by place where nothing is forbidden.
    """
    study = ctx.prepared.study
    strategy = study.strategies[ctx.prepared.strategy]
    days = {exclusive_until(study, strategy, name) for name in strategy.hold} - {None}
    ends = sorted({ctx.prepared.calendar.ms(day) for day in days if day is not None})
    ends = [at for at in ends if 0 < at < ctx.end]
    if ends:
        ctx.env.process(_follow(ctx, autoscaler, tokens, speed, ends))


def _follow(
    ctx: Context,
    autoscaler: Autoscaler,
    tokens: NDArray[np.float64],
    speed: dict[int, float],
    ends: list[int],
) -> Generator[Any, Any, None]:
    for at in ends:
        yield ctx.until(at)
        admit(ctx, autoscaler, tokens, speed)
        ctx.log("exclusivity", ctx.prepared.strategy, "an exclusive contract no longer binds")
