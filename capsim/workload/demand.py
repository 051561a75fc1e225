"""The lab's demand in one world: research campaigns and the hourly token demand of each service.

All draws are keyed by the workload, so every strategy of a run faces the same demand.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date

import numpy as np
from numpy.typing import NDArray

from capsim.randomness import choose, exponential, generator, normal, uniform
from capsim.spec.demand import Lognormal, Research, Service
from capsim.spec.study import DemandUncertainty
from capsim.workload.service_requests import recorded_day

MS_HOUR = 3_600_000
MS_DAY = 24 * MS_HOUR
Z99 = 2.3263478740408408  # standard normal quantile of 0.99
SAMPLED = 20_000  # draws for the mean run time of a campaign
WEEK = 169  # hours: a week about the middle one
FATES = ("completed", "failed", "cancelled")


def log_linear(points: Mapping[date, float], start: date, at_ms: NDArray[np.int64]) -> NDArray[np.float64]:
    """Interpolate a dated series linearly in the logarithm; constant outside its dates.

    Args:
        points: dates and positive values.
        start: first day of the horizon.
        at_ms: instants, ms since the start, shape (n,).

    Returns:
        Values at the instants, shape (n,).
    """
    days = sorted(points)
    x = np.array([(day - start).days * MS_DAY for day in days], dtype=np.float64)
    y = np.log(np.array([float(points[day]) for day in days]))
    values: NDArray[np.float64] = np.exp(np.interp(at_ms.astype(np.float64), x, y))
    return values


def lognormal_sigma(spec: Lognormal) -> float:
    """Sigma of a lognormal given by its median and either sigma or p99."""
    if spec.sigma is not None:
        return float(spec.sigma)
    assert spec.p99 is not None
    return math.log(float(spec.p99) / float(spec.median)) / Z99


def growth_path(
    sigma: float, by: date, start: date, hours: int, key: tuple[str | int, ...]
) -> NDArray[np.float64]:
    """An uncertain factor on demand: exp(sigma z t / T) with one draw z a world and T the time to `by`."""
    horizon = max((by - start).days * 24, 1)
    z = normal(*key)
    return np.exp(sigma * z * np.arange(hours) / horizon)


def break_path(spec: DemandUncertainty, hours: int, key: tuple[str | int, ...]) -> NDArray[np.float64]:
    """Demand breaks: at most one a year, with its probability, uniform in the year, for its duration."""
    factor = np.ones(hours)
    if spec.break_ is None:
        return factor
    year_hours = 8766
    for year in range(-(-hours // year_hours)):
        if uniform(*key, year) < float(spec.break_.probability):
            begin = int((year + uniform(*key, year, "when")) * year_hours)
            length = int(float(spec.break_.duration) / MS_HOUR)
            factor[begin : begin + length] = (
                1.0 + min(float(spec.break_.size), 0.0)
                if spec.break_.size < 0
                else (1.0 - float(spec.break_.size))
            )
    return factor


def service_demand(
    service: Service,
    start: date,
    hours: int,
    scale: float,
    factor: NDArray[np.float64],
    key: tuple[str | int, ...],
) -> NDArray[np.float64]:
    """Tokens a second of one service in each hour of the horizon, shape (hours,).

    The daily shape is a cosine with its peak at `peak_hour`, its mean 1 and its maximum `peak`, or that of
    the service's request trace where it has a whole day; weekends are lower; bursts start at Poisson times
    and decay exponentially.
    """
    t = np.arange(hours, dtype=np.int64)
    base = log_linear(service.tokens, start, t * MS_HOUR) / 86_400.0 * scale * factor
    shape = service.shape
    swing = float(shape.peak) - 1.0
    daily = 1.0 + swing * np.cos((t % 24 - float(shape.peak_hour)) * (2 * math.pi / 24))
    recorded = recorded_day(service)
    if recorded is not None:
        daily = recorded[t % 24]
    weekday = (start.weekday() + t // 24) % 7
    weekly = np.where(weekday >= 5, 1.0 + float(shape.weekend), 1.0)
    bursts = np.ones(hours)
    if shape.bursts is not None:
        mean_gap = 8766.0 / float(shape.bursts.rate)
        decay = float(shape.bursts.decay) / MS_HOUR
        at, n = exponential(mean_gap, *key, "burst", 0), 0
        while at < hours:
            begin = int(at)
            span = min(hours - begin, int(6 * decay) + 1)
            bursts[begin : begin + span] += float(shape.bursts.size) * np.exp(-np.arange(span) / decay)
            n += 1
            at += exponential(mean_gap, *key, "burst", n)
    tokens: NDArray[np.float64] = base * daily * weekly * bursts
    return tokens


def research_campaigns(
    spec: Research,
    start: date,
    hours: int,
    scale: float,
    factor: NDArray[np.float64],
    key: tuple[str | int, ...],
) -> dict[str, NDArray[np.int64]]:
    """Research campaigns of one world.

    Arrivals are Poisson with a monthly rate that grows, quieter at night and at weekends. Sizes follow the
    study's table at the start and grow with `capacity`, rounded to 8 chips, so that the offered work follows
    `capacity`. The run time of a fate is scaled so that fates take their share of chip-time.

    Returns:
        Arrays of equal length n, sorted by submission: ``submit`` ms, ``chips`` (of the reference system),
        ``run`` ms at speed 1, ``requested`` ms at speed 1, ``tenant``, ``fate`` (index into FATES).
    """
    rng = generator(*key, "campaigns")
    weight = _arrival_weight(spec, start, hours)
    total = int(spec.campaigns)
    edges = np.concatenate([[0.0], np.cumsum(weight)])
    at = np.sort(rng.random(total)) * edges[-1]
    submit = (np.interp(at, edges, np.arange(hours + 1)) * MS_HOUR).astype(np.int64)
    sizes = np.array(sorted(spec.chips), dtype=np.int64)
    shares = np.array([float(spec.chips[size]) for size in sorted(spec.chips)])
    chips = sizes[choose(shares, rng.random(total))]
    fate = _fates(spec, rng, total)
    run = _run_times(spec, rng, total, fate)
    hour = np.minimum(submit // MS_HOUR, hours - 1)
    chips = _scaled_sizes(spec, start, hour, weight, chips, run, scale, factor)
    estimate = np.maximum(
        float(spec.estimate.median) * np.exp(float(spec.estimate.sigma) * rng.standard_normal(total)), 1.0
    )
    requested = (run * estimate).astype(np.int64)
    ranks = np.arange(1, int(spec.tenants.count) + 1)
    tenant_share = np.asarray(1.0 / ranks ** float(spec.tenants.zipf), dtype=np.float64)
    tenant = choose(tenant_share, rng.random(total))
    return {
        "submit": submit,
        "chips": chips,
        "run": run,
        "requested": np.maximum(requested, run),
        "tenant": tenant,
        "fate": fate,
    }


def _arrival_weight(spec: Research, start: date, hours: int) -> NDArray[np.float64]:
    t = np.arange(hours)
    growth = float(spec.campaigns_growth) ** (t / max(hours - 1, 1))
    weekday = (start.weekday() + t // 24) % 7
    weekend = np.where(weekday >= 5, 1.0 + float(spec.weekend), 1.0)
    hour = t % 24
    night = np.where((hour >= 8) & (hour < 20), 1.0, 1.0 + float(spec.night))
    return growth * weekend * night


def _fates(spec: Research, rng: np.random.Generator, total: int) -> NDArray[np.int64]:
    failed, cancelled = float(spec.fates.failed), float(spec.fates.cancelled)
    u = rng.random(total)
    fate = (u < cancelled + failed).astype(np.int64)
    fate += u < cancelled
    return fate


def _run_times(
    spec: Research, rng: np.random.Generator, total: int, fate: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Lognormal run times, scaled by fate so that each fate takes its share of chip-time, then cut."""
    fates = spec.fates
    jobs = np.array(
        [1 - float(fates.failed) - float(fates.cancelled), float(fates.failed), float(fates.cancelled)]
    )
    time = np.array(
        [
            1 - float(fates.failed_chip_time) - float(fates.cancelled_chip_time),
            float(fates.failed_chip_time),
            float(fates.cancelled_chip_time),
        ]
    )
    ratio = np.divide(time, jobs, out=np.ones(3), where=jobs > 0)
    run = float(spec.duration.median) * np.exp(lognormal_sigma(spec.duration) * rng.standard_normal(total))
    run = np.maximum(run * ratio[fate], 60_000.0)
    if spec.duration.max is not None:
        run = np.minimum(run, float(spec.duration.max))
    times: NDArray[np.int64] = run.astype(np.int64)
    return times


def _scaled_sizes(
    spec: Research,
    start: date,
    hour: NDArray[np.int64],
    weight: NDArray[np.float64],
    chips: NDArray[np.int64],
    run: NDArray[np.int64],
    scale: float,
    factor: NDArray[np.float64],
) -> NDArray[np.int64]:
    """Scale campaign sizes so that the expected offered chip-hours follow `capacity` times `factor`."""
    mean_work = float(np.mean(chips.astype(np.float64) * run)) / MS_HOUR
    growth = _growth(spec, start, weight, len(chips), mean_work, scale * factor)
    return _rounded(chips * growth[hour])


def _growth(
    spec: Research,
    start: date,
    weight: NDArray[np.float64],
    total: int,
    mean_work: float,
    scale: NDArray[np.float64],
) -> NDArray[np.float64]:
    """By hour, what sizes are multiplied by if `total` campaigns of `mean_work` chip-hours are submitted.

    The submissions of an hour are taken as the mean of the week about it, at the ends of the horizon of its
    first or last week, so that nights and weekends are quieter and their campaigns no larger.
    """
    wanted = log_linear(spec.capacity, start, np.arange(len(weight), dtype=np.int64) * MS_HOUR) * scale
    wanted *= 1.0 - float(spec.sub_node)
    per_hour = weight / weight.sum() * total
    week = min(WEEK, len(weight))
    means = np.convolve(per_hour, np.ones(week) / week, mode="valid")
    smooth = np.pad(means, ((week - 1) // 2, week // 2), mode="edge")
    growth: NDArray[np.float64] = wanted / (smooth * mean_work)
    return growth


def _rounded(chips: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.maximum(np.rint(chips / 8.0), 1).astype(np.int64) * 8


def expected_sizes(
    spec: Research, start: date, hours: int, scale: float
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Campaign sizes on demand's central path, after scaling to `capacity`.

    Returns:
        Chips of the reference system, shape (sizes of the table in ascending order, hours), and the share of
        the research work that each size has in each hour; shares sum to 1.
    """
    rng = generator("expected sizes")
    run = _run_times(spec, rng, SAMPLED, _fates(spec, rng, SAMPLED)).mean() / MS_HOUR
    sizes = np.array(sorted(spec.chips), dtype=np.float64)
    part = np.array([float(spec.chips[size]) for size in sorted(spec.chips)])
    part = part / part.sum() * sizes
    growth = _growth(
        spec,
        start,
        _arrival_weight(spec, start, hours),
        int(spec.campaigns),
        float(part.sum() * run),
        np.full(hours, scale),
    )
    wanted = log_linear(spec.capacity, start, np.arange(hours, dtype=np.int64) * MS_HOUR)
    work = np.outer(part / part.sum(), wanted / wanted.sum())
    return _rounded(np.outer(sizes, growth)), work
