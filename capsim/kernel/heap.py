"""A binary heap of events in arrays, ordered by (time, key): 24 bytes an event, no allocation."""

from __future__ import annotations

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
        right = down + 1
        if right < n and (
            heap[right].time < heap[down].time
            or (heap[right].time == heap[down].time and heap[right].key < heap[down].key)
        ):
            down = right
        if time < heap[down].time or (time == heap[down].time and key <= heap[down].key):
            break
        heap[i].time = heap[down].time
        heap[i].key = heap[down].key
        heap[i].data = heap[down].data
        i = down
    heap[i].time = time
    heap[i].key = key
    heap[i].data = data


@kernel()
def heap_drop(s):
    """Remove the first event."""
    n = s.clock[0].n_heap - 1
    s.clock[0].n_heap = n
    if n > 0:
        last = s.heap[n]
        heap_settle(s, n, last.time, last.key, last.data)
