"""Contract prices of each market, month by month."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from capsim.compile.calendar import MS_HOUR
from capsim.control.context import Context


def start_markets(ctx: Context) -> None:
    """Follow every market's price path; `ctx.prices` holds today's price over the starting price.

    Started before whatever else decides: what is decided at the first instant of a month sees its price.
    """
    edges = ctx.prepared.calendar.months()
    for name in ctx.prepared.study.markets:
        path = ctx.draws.market(name)
        ctx.prices[name] = float(path[0])
        for month, edge in enumerate(edges[1:-1], start=1):
            ctx.until(edge).callbacks.append(partial(_turn, ctx, name, float(path[month])))


def _turn(ctx: Context, name: str, price: float, _: Any) -> None:
    ctx.prices[name] = price


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
