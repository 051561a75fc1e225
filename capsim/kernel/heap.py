"""A binary heap of events in arrays, ordered by (time, key): 24 bytes an event, no allocation."""

from __future__ import annotations

import numpy as np

from capsim.jit import kernel


@kernel()
def heap_push(s, time, key, data):
    """Add an event. The caller has made room (see ``advance``)."""
    heap = s.heap
    i = s.clock[0].n_heap
    s.clock[0].n_heap = i + 1
    while i > 0:
        up = (i - 1) >> 1
        if heap[up].time < time or (heap[up].time == time and heap[up].key <= key):
            break
        heap[i].time = heap[up].time
        heap[i].key = heap[up].key
        heap[i].data = heap[up].data
        i = up
    heap[i].time = time
    heap[i].key = key
    heap[i].data = data


@kernel()
def heap_settle(s, n, time, key, data):
    """Put an event into the hole at the top of a heap of ``n``."""
    heap = s.heap
    i = 0
    while True:
        down = 2 * i + 1
        if down >= n:
            break
        if down + 1 < n:
            left, right = heap[down], heap[down + 1]
            down += (right.time < left.time) | ((right.time == left.time) & (right.key < left.key))
        least = heap[down]
        if time < least.time or (time == least.time and key <= least.key):
            break
        heap[i].time = least.time
        heap[i].key = least.key
        heap[i].data = least.data
        i = down
    heap[i].time = time
    heap[i].key = key
    heap[i].data = data


@kernel()
def heap_drop(s):
    """Remove the first event."""
    n = np.int64(s.clock[0].n_heap - 1)
    s.clock[0].n_heap = n
    if n > 0:
        last = s.heap[n]
        heap_settle(s, n, last.time, last.key, last.data)


@kernel()
def heap_replace(s, time, key, data):
    """Remove the first event and add another: one walk."""
    heap_settle(s, np.int64(s.clock[0].n_heap), time, key, data)
