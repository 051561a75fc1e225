"""The inner loops of serving, compiled: chips for services, replicas to places, work that may wait."""

from __future__ import annotations

import numba
import numpy as np

from capsim.jit import kernel
from capsim.kernel.accounts import CHIP_TIME

CHIPS = numba.from_dtype(CHIP_TIME)


@kernel(numba.void(CHIPS[::1], *[numba.int64[::1]] * 5))
def take_stock(chips, kinds, reserve, healthy, free, available):  # type: ignore[no-untyped-def]
    """What is in working order at each place, and how much of it services may use.

    Named runs keep the chips that they hold or claim. A place whose run has not got half of its claim yet is
    cleared of services.

    Args:
        chips: chips now by state, as `capsim.kernel.api.Cluster.chips` gives them, shape (places,).
        kinds: accounting kinds of named runs.
        reserve: chips claimed by named runs, shape (places,).
        healthy: filled with the chips in working order, same shape.
        free: filled with the free chips.
        available: filled with the chips that services may use.
    """
    for p in range(len(chips)):
        row = chips[p]
        healthy[p] = row.active - row.out - row.broken - row.barred
        free[p] = row.free
        training = row.spare
        for kind in kinds:
            training += row.allocated[kind]
        available[p] = healthy[p] - max(training, reserve[p])
        if training < reserve[p] // 2:
            available[p] = 0


@kernel("void(f8[::1], f8[:,::1], i8[:,::1], i8[:,::1], i8[::1], i8[::1], i8[:,::1])")
def allocate(need, tokens, chips, order, rank, available, wanted):  # type: ignore[no-untyped-def]
    """Give each service, in rank order, replicas at its best places until its need is met.

    Args:
        need: tokens/s wanted, shape (services,).
        tokens: tokens/s of one replica, shape (services, places); 0 where the service cannot run.
        chips: chips of one replica, same shape.
        order: places, best first, same shape.
        rank: services in order of priority.
        available: chips that may be used, shape (places,); reduced in place.
        wanted: replicas, filled, shape (services, places).
    """
    wanted[:, :] = 0
    for s in rank:
        left = need[s]
        for p in order[s]:
            if left <= 0.0:
                break
            if tokens[s, p] <= 0.0 or chips[s, p] <= 0 or available[p] < chips[s, p]:
                continue
            n = min(np.int64(np.ceil(left / tokens[s, p])), available[p] // chips[s, p])
            wanted[s, p] = n
            available[p] -= n * chips[s, p]
            left -= n * tokens[s, p]


@kernel("void(f8[::1], f8[::1], f8[::1], f8[::1], f8[::1])")
def serve_deferred(requested, capacity, queue, served, missed):  # type: ignore[no-untyped-def]
    """Serve work that may wait: oldest first; what is older than the queue is long is dropped.

    Args:
        requested: work that arrives in each hour, shape (hours,).
        capacity: work that can be done in each hour, same shape.
        queue: zeros, shape (deadline in hours + 1,); a ring by the hour of arrival.
        served: filled by the hour of service, shape (hours,).
        missed: zeros, filled by the hour of request with what was dropped or still waits at the end, shape
            (hours,).
    """
    slots = len(queue)
    oldest = 0
    for hour in range(len(requested)):
        if hour >= slots:
            missed[hour - slots] = queue[hour % slots]
        queue[hour % slots] = requested[hour]
        oldest = max(oldest, hour - slots + 1)
        left = capacity[hour]
        while left > 0.0 and oldest <= hour:
            take = min(queue[oldest % slots], left)
            queue[oldest % slots] -= take
            served[hour] += take
            left -= take
            if queue[oldest % slots] > 0.0:
                break
            oldest += 1
    for hour in range(max(0, len(requested) - slots), len(requested)):
        missed[hour] = queue[hour % slots]
