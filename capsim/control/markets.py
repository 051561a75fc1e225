"""Contract prices of each market, month by month."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from capsim.compile.calendar import MS_HOUR
from capsim.control.context import Context


def start_markets(ctx: Context) -> None:
    """Follow every market's price path; `ctx.prices` holds today's price over the starting price."""
    edges = ctx.prepared.calendar.months()
    for name in ctx.prepared.study.markets:
        ctx.prices[name] = 1.0
        ctx.env.process(_follow(ctx, name, ctx.draws.market(name), edges))


def _follow(
    ctx: Context, name: str, path: NDArray[np.float64], edges: list[int]
) -> Generator[Any, Any, None]:
    for month, edge in enumerate(edges[:-1]):
        yield ctx.until(edge)
        ctx.prices[name] = float(path[month])


def market_ratio(ctx: Context, market: str, at: int) -> float:
    """A market's price at an instant over its start; after the horizon as it was at the end."""
    if market not in ctx.market_paths:
        ctx.market_paths[market] = ctx.draws.market(market)
    path = ctx.market_paths[market]
    month = np.searchsorted(ctx.prepared.calendar.months(), at, side="right") - 1
    return float(path[int(np.clip(month, 0, len(path) - 1))])


def hourly_market(ctx: Context, market: str | None, hours: int) -> NDArray[np.float64]:
    """A market's price over its start by hour, shape (hours,); 1 without a market."""
    if market is None:
        return np.ones(hours)
    edges = np.array(ctx.prepared.calendar.months()[:-1], dtype=np.float64)
    month = np.searchsorted(edges, np.arange(hours) * float(MS_HOUR), side="right") - 1
    path: NDArray[np.float64] = ctx.draws.market(market)[month]
    return path
