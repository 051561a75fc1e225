"""The queue of conservative backfilling: jobs in submission order, reservations in a heap.

Slots are grouped; a group's summary (least size, latest reservation, oldest look) tells whether any of its
jobs can find an earlier hole, so that a long queue costs little where nothing can move.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from capsim.jit import kernel
from capsim.kernel.profile import NEVER, Ints, Profile, change

GROUP = 32  # queue slots that share one summary
GONE = -1  # start of a slot whose job has left the queue
WAITS = NEVER  # start of a slot whose job holds no reservation

SLOTS, LIVE, PROMISED, BOUNDARY, HEAPED = range(5)  # the places of ``Queue.state``


class Queue(NamedTuple):
    """Queued jobs, one slot each in submission order; slots of jobs that left are reused in bulk."""

    job: Ints
    size: Ints  # chips
    length: Ints  # requested time
    start: Ints  # start of the reservation, GONE or WAITS
    seen: Ints  # releases of the profile at the job's last look
    heap: Ints  # slots with a reservation, least start first
    place: Ints  # where a slot is in the heap
    group_size: Ints  # by group of slots: least size, as are the next three
    group_length: Ints  # least length
    group_start: Ints  # latest reservation
    group_seen: Ints  # oldest look
    state: Ints  # SLOTS used, LIVE jobs, PROMISED jobs, BOUNDARY (first slot without promise), HEAPED


def new_queue(jobs: int) -> Queue:
    """A queue that can hold ``jobs`` jobs."""
    slots = [np.empty(jobs, dtype=np.int64) for _ in range(7)]
    groups = [np.empty(jobs // GROUP + 1, dtype=np.int64) for _ in range(4)]
    return Queue._make([*slots, *groups, np.zeros(5, dtype=np.int64)])


@kernel()
def sift_up(queue: Queue, k: int) -> None:
    """Move the slot at place ``k`` of the heap up to where it belongs."""
    slot = queue.heap[k]
    start = queue.start[slot]
    while k > 0:
        parent = (k - 1) >> 1
        if queue.start[queue.heap[parent]] <= start:
            break
        queue.heap[k] = queue.heap[parent]
        queue.place[queue.heap[k]] = k
        k = parent
    queue.heap[k] = slot
    queue.place[slot] = k


@kernel()
def pop_reservation(queue: Queue) -> int:
    """Take the slot with the earliest reservation off the heap."""
    top = queue.heap[0]
    queue.state[HEAPED] -= 1
    count = queue.state[HEAPED]
    slot = queue.heap[count]
    k = 0
    while 2 * k + 1 < count:
        child = 2 * k + 1
        if child + 1 < count and queue.start[queue.heap[child + 1]] < queue.start[queue.heap[child]]:
            child += 1
        if queue.start[queue.heap[child]] >= queue.start[slot]:
            break
        queue.heap[k] = queue.heap[child]
        queue.place[queue.heap[k]] = k
        k = child
    queue.heap[k] = slot
    queue.place[slot] = k
    return top


@kernel()
def summarise(queue: Queue, group: int) -> None:
    """Recompute a group's summary from its slots."""
    size, length, start, seen = NEVER, NEVER, np.int64(GONE), NEVER
    for slot in range(group * GROUP, min((group + 1) * GROUP, queue.state[SLOTS])):
        if queue.start[slot] != GONE:
            size = min(size, queue.size[slot])
            length = min(length, queue.length[slot])
            start = max(start, queue.start[slot])
            seen = min(seen, queue.seen[slot])
    queue.group_size[group] = size
    queue.group_length[group] = length
    queue.group_start[group] = start
    queue.group_seen[group] = seen


@kernel()
def append(queue: Queue, job: int, size: int, length: int) -> int:
    """Give a new job the next slot, without a reservation."""
    slot = queue.state[SLOTS]
    queue.job[slot] = job
    queue.size[slot] = size
    queue.length[slot] = length
    queue.start[slot] = WAITS
    queue.seen[slot] = -1
    queue.state[SLOTS] += 1
    queue.state[LIVE] += 1
    group = slot // GROUP
    if slot % GROUP == 0:
        summarise(queue, group)
    else:
        queue.group_size[group] = min(queue.group_size[group], size)
        queue.group_length[group] = min(queue.group_length[group], length)
        queue.group_start[group] = WAITS
        queue.group_seen[group] = -1
    return slot


@kernel()
def promise(queue: Queue, profile: Profile, slot: int, start: int) -> None:
    """Give a slot a reservation: in the profile, in the heap."""
    change(profile, start, start + queue.length[slot], -queue.size[slot])
    queue.start[slot] = start
    queue.seen[slot] = profile.releases[0]
    place = queue.state[HEAPED]
    queue.heap[place] = slot
    queue.state[HEAPED] += 1
    queue.state[PROMISED] += 1
    sift_up(queue, place)


@kernel()
def compact(queue: Queue) -> None:
    """Close the gaps that jobs left in the slots, once they outnumber the jobs."""
    used = queue.state[SLOTS]
    if used - queue.state[LIVE] <= queue.state[LIVE] + GROUP:
        return
    kept = 0
    boundary = -1
    for slot in range(used):
        if slot == queue.state[BOUNDARY]:
            boundary = kept
        if queue.start[slot] == GONE:
            continue
        queue.job[kept] = queue.job[slot]
        queue.size[kept] = queue.size[slot]
        queue.length[kept] = queue.length[slot]
        queue.start[kept] = queue.start[slot]
        queue.seen[kept] = queue.seen[slot]
        if queue.start[slot] != WAITS:
            queue.place[kept] = queue.place[slot]
            queue.heap[queue.place[kept]] = kept
        kept += 1
    queue.state[BOUNDARY] = kept if boundary < 0 else boundary
    queue.state[SLOTS] = kept
    for group in range((kept + GROUP - 1) // GROUP):
        summarise(queue, group)
