"""Monthly price paths: chip-hours by regimes around a published mean, power that returns to its mean."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from capsim.compile.calendar import DAYS_YEAR, MS_DAY, Calendar
from capsim.randomness import normal, uniform
from capsim.spec.markets import Market, Newer, PowerMarket
from capsim.spec.study import Study

MONTHS_YEAR: Final = 12
Key = tuple[str | int, ...]


def market_path(study: Study, calendar: Calendar, name: str, world: Key) -> NDArray[np.float64]:
    """A market's price over its start, shape (months,).

    The regime path; where a mean is published, that mean times the regime path over its own mean; and no more
    than the same work costs on newer chips.

    Args:
        world: key of the world; the market's name is added.
    """
    market = study.markets[name]
    edges = np.array(calendar.months()[:-1], dtype=np.float64)
    lead = (*world, "market", market.follows.market) if market.follows is not None else None
    path = price_path(market, len(edges), (*world, "market", name), lead)
    if market.mean:
        path *= _published(market, calendar, edges) / _mean_of(market, calendar, edges)
    for newer in market.newer:
        path = _capped(path, newer, float(market.start), calendar, edges)
    return path


def price_path(market: Market, months: int, key: Key, lead: Key | None = None) -> NDArray[np.float64]:
    """A monthly price over its start: regimes that drift, left at random, with lognormal noise.

    Args:
        lead: key of the market that this one follows: its turns, and a part of its noise.
    """
    names = list(market.regimes)
    state = names.index(market.state)
    shared = 0.0 if market.follows is None or lead is None else float(market.follows.correlation)
    own = math.sqrt(1.0 - shared * shared)
    turns = key if lead is None else lead
    path = np.empty(months)
    log_price = 0.0
    for month in range(months):
        path[month] = math.exp(log_price)
        regime = market.regimes[names[state]]
        log_price += math.log1p(float(regime.drift)) / MONTHS_YEAR
        noise = own * normal(*key, "noise", month)
        if lead is not None:
            noise += shared * normal(*lead, "noise", month)
        log_price += float(market.volatility) / math.sqrt(MONTHS_YEAR) * noise
        if uniform(*turns, "state", month) > _stay(market, names[state]):
            others = [i for i in range(len(names)) if i != state] or [state]
            state = others[int(uniform(*turns, "next", month) * len(others))]
    return path


def _stay(market: Market, regime: str) -> float:
    """Probability of a month in the same regime."""
    return math.pow(1.0 - float(market.regimes[regime].leave), 1 / 3)


def expected_path(market: Market, months: int) -> NDArray[np.float64]:
    """The mean of `price_path` over all worlds, shape (months,): exact, month by month over the regimes.

    m'(s') = sum over s of m(s) (1 + drift_s)^(1/12) exp(volatility^2 / 24) P(s -> s'), m the mean price times
    the indicator of the regime.
    """
    names = list(market.regimes)
    stay = np.array([_stay(market, name) for name in names])
    turn = np.diag(stay) if len(names) > 1 else np.eye(1)
    if len(names) > 1:
        turn += (1.0 - stay)[:, None] * (1.0 - np.eye(len(names))) / (len(names) - 1)
    growth = np.array([1.0 + float(regime.drift) for regime in market.regimes.values()]) ** (1 / MONTHS_YEAR)
    growth *= math.exp(float(market.volatility) ** 2 / (2 * MONTHS_YEAR))
    by_regime = np.zeros(len(names))
    by_regime[names.index(market.state)] = 1.0
    mean = np.empty(months)
    for month in range(months):
        mean[month] = by_regime.sum()
        by_regime = (by_regime * growth) @ turn
    return mean


def _published(market: Market, calendar: Calendar, edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """The published mean over the start: log-linear from the start on, the last value after the last date."""
    points = [(0.0, math.log(float(market.start)))]
    later = ((float(calendar.ms(day)), float(price)) for day, price in sorted(market.mean.items()))
    points += [(at, math.log(price)) for at, price in later if at > 0.0]
    at, logs = np.array(points).T
    found: NDArray[np.float64] = np.exp(np.interp(edges, at, logs)) / float(market.start)
    return found


def _mean_of(market: Market, calendar: Calendar, edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """The regime process's own mean until the last published date, and what it was then afterwards."""
    mean = expected_path(market, len(edges))
    last = int(np.searchsorted(edges, float(calendar.ms(max(market.mean))), side="right")) - 1
    mean[max(last, 0) + 1 :] = mean[max(last, 0)]
    return mean


def _capped(
    path: NDArray[np.float64], newer: Newer, start: float, calendar: Calendar, edges: NDArray[np.float64]
) -> NDArray[np.float64]:
    """At most the price of the same work on a newer chip, reached (in logs) over its phase."""
    cap = float(newer.price) / float(newer.work) / start
    since = edges - calendar.ms(newer.starts)
    weight = np.clip(since / int(newer.phase), 0.0, 1.0) if newer.phase else (since >= 0).astype(np.float64)
    return np.asarray(path * np.minimum(cap / path, 1.0) ** weight)


def power_path(market: PowerMarket, calendar: Calendar, key: Key) -> NDArray[np.float64]:
    """USD per MWh by month, shape (months,).

    mean (1 + drift)^t season(t) (start / mean)^exp(-k t) exp(X - Var X / 2), X an Ornstein-Uhlenbeck process
    from 0 with speed k: the mean over all worlds is what stands before X.
    """
    edges = np.array(calendar.months(), dtype=np.float64)
    years = edges[:-1] / (DAYS_YEAR * MS_DAY)
    speed, sigma = float(market.reversion), float(market.volatility)
    start = float(market.mean if market.start is None else market.start)
    mean = float(market.mean) * (1.0 + float(market.drift or 0.0)) ** years
    mean = mean * (start / float(market.mean)) ** np.exp(-speed * years)
    if market.season is not None:
        months = np.array([calendar.day(int(edge)).month for edge in edges[:-1]])
        angle = 2 * math.pi * (months - float(market.season.peak_month)) / MONTHS_YEAR
        mean = mean * (1.0 + float(market.season.amplitude) * np.cos(angle))
    level, variance = 0.0, 0.0
    path = np.empty(len(years))
    for month, length in enumerate(np.diff(years, append=years[-1])):
        path[month] = mean[month] * math.exp(level - variance / 2)
        keep = math.exp(-speed * length)
        grown = sigma**2 * (length if speed == 0 else (1 - keep**2) / (2 * speed))
        level = level * keep + math.sqrt(grown) * normal(*key, "noise", month)
        variance = variance * keep**2 + grown
    return path
