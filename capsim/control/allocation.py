"""The inner loops of serving, compiled: chips for services, replicas to places, work that may wait.

Between two decisions of other control processes nothing but the kernel changes what the autoscaler looks at:
`autoscale` takes its decisions in a row there, without coming back to Python at each.
"""

from __future__ import annotations

import numba
import numpy as np

from capsim.jit import kernel
from capsim.kernel import stock
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


WORDS, REALS = numba.int64[:, ::1], numba.float64[:, ::1]


@kernel(
    numba.int64(
        *[numba.int64] * 6, CHIPS[::1], numba.int64[::1], numba.int64[::1], REALS, REALS, WORDS, WORDS,
        numba.int64[::1], numba.int64[:, :, ::1], WORDS, WORDS, numba.int64[::1], WORDS,
    )
)  # fmt: skip
def autoscale(  # type: ignore[no-untyped-def]
    address, advance, operate, first, last, period, chips_now, kinds, reserve,
    need, tokens, chips, order, rank, held, healthy, free, available, wanted,
):  # fmt: skip
    """Decide at step `first`, which is now, and at those before `last`, to which the kernel runs by itself.

    Args:
        address: the cluster's state.
        advance, operate: addresses of the kernel's entry points (`capsim.kernel.stock`).
        period: ms between steps; step n is at n periods.
        chips_now: room for the chips now by state, shape (places,).
        kinds, reserve, available: as `take_stock` takes them.
        tokens, chips, order, rank, wanted: as `allocate` takes them.
        need: tokens/s wanted, shape (steps, services).
        held: replica-ms up to each step, filled, shape (steps + 1, services, places).
        healthy, free: filled at each step as by `take_stock`, shape (steps, places).

    Returns:
        The next step: `last`, or one before where the kernel had to stop on the way to it.
    """
    for step in range(first, last):
        if step > first and not stock.run_until(address, advance, step * period):
            return step
        stock.take_stock(address, chips_now, held[step])
        take_stock(chips_now, kinds, reserve, healthy[step], free[step], available)
        stock.keep_off_windows(address, kinds, available)
        allocate(need[step], tokens, chips, order, rank, available, wanted)
        stock.set_replicas(address, operate, wanted)
    return last


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
