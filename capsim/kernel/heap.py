"""A binary heap of events in arrays, ordered by (time, key): 24 bytes an event, no allocation."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic

from capsim.jit import kernel


@intrinsic
def earlier(typingctx: Any, time: Any, key: Any, other_time: Any, other_key: Any) -> Any:
    """Whether (time, key) comes before another; none is negative.

    As one number of 128 bits each: a comparison in three instructions and without a jump.
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        wide = ir.IntType(128)
        shift = ir.Constant(wide, 64)
        first, second = (
            builder.or_(builder.shl(builder.zext(high, wide), shift), builder.zext(low, wide))
            for high, low in ((args[0], args[1]), (args[2], args[3]))
        )
        return builder.icmp_unsigned("<", first, second)

    return types.boolean(types.int64, types.int64, types.int64, types.int64), codegen


@kernel()
def heap_rise(s, i, time, key, data):
    """Put an event in the hole at node i, or further up, where it is in order."""
    heap = s.heap
    while i > 0:
        up = (i - 1) >> 1
        if not earlier(time, key, heap[up].time, heap[up].key):
            break
        heap[i].time = heap[up].time
        heap[i].key = heap[up].key
        heap[i].data = heap[up].data
        i = up
    heap[i].time = time
    heap[i].key = key
    heap[i].data = data


@kernel()
def heap_push(s, time, key, data):
    """Add an event. The caller has made room (see ``advance``)."""
    i = np.int64(s.clock[0].n_heap)
    s.clock[0].n_heap = i + 1
    heap_rise(s, i, time, key, data)


@kernel()
def heap_drop(s):
    """Remove the first event.

    The hole at the top sinks to the bottom along the lesser children, and the last event rises from there: it
    is nearly always one of the latest, so that comparing it on the way down would be in vain.
    """
    heap = s.heap
    n = np.int64(s.clock[0].n_heap - 1)
    s.clock[0].n_heap = n
    i, down = np.int64(0), np.int64(1)
    while down < n:
        # the last event, still at n, may be the lesser child: then it goes up and the hole leaves the heap
        down += earlier(heap[down + 1].time, heap[down + 1].key, heap[down].time, heap[down].key)
        heap[i].time = heap[down].time
        heap[i].key = heap[down].key
        heap[i].data = heap[down].data
        i, down = down, 2 * down + 1
    heap_rise(s, i, heap[n].time, heap[n].key, heap[n].data)


@kernel()
def heap_replace(s, time, key, data):
    """Remove the first event and add another: one walk down, as the other is often soon."""
    heap = s.heap
    n = np.int64(s.clock[0].n_heap)
    i = np.int64(0)
    while True:
        down = 2 * i + 1
        if down >= n:
            break
        if down + 1 < n:
            down += earlier(heap[down + 1].time, heap[down + 1].key, heap[down].time, heap[down].key)
        if not earlier(heap[down].time, heap[down].key, time, key):
            break
        heap[i].time = heap[down].time
        heap[i].key = heap[down].key
        heap[i].data = heap[down].data
        i = down
    heap[i].time = time
    heap[i].key = key
    heap[i].data = data
