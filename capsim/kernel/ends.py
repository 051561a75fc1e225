"""Running jobs of a site by estimated end: a blocked sorted list with sums of weights.

The weight of an entry is the number of domains that become wholly free with that end, so that the
instant at which ``need`` domains are wholly free is found by walking block sums. About sqrt(running)
an operation. Entries are ordered by (time, job); blocks live in one arena, each site has an order array.
"""

from __future__ import annotations

import numpy as np

from capsim.jit import kernel
from capsim.kernel.state import END_BLOCK_SIZE
from capsim.tables import NEVER

SIZE = END_BLOCK_SIZE


@kernel()
def _new_block(s):
    c = s.clock[0]
    b = np.int64(c.free_end)
    if b >= 0:
        c.free_end = s.end_blocks[b].next_free
    else:
        b = np.int64(c.n_end_blocks)
        c.n_end_blocks = b + 1
    s.end_blocks[b].count = 0
    s.end_blocks[b].weight = 0
    return b


@kernel()
def _find_block(s, site, time, job):
    """Position in the order of the last block whose first entry is <= (time, job), at least 0."""
    at = s.sites[site].ends_at
    lo, hi = np.int64(0), np.int64(s.sites[site].n_ends)
    while hi - lo > 1:
        mid = (lo + hi) >> 1
        e = s.ends[np.int64(s.end_order[at + mid]) * SIZE]
        if e.time < time or (e.time == time and e.job <= job):
            lo = mid
        else:
            hi = mid
    return lo


@kernel()
def _find_entry(s, block, time, job):
    """Slot of the first entry of the block that is >= (time, job)."""
    base = block * SIZE
    lo, hi = np.int64(0), np.int64(s.end_blocks[block].count)
    while lo < hi:
        mid = (lo + hi) >> 1
        e = s.ends[base + mid]
        if e.time < time or (e.time == time and e.job < job):
            lo = mid + 1
        else:
            hi = mid
    return lo


@kernel()
def _split(s, site, at, block):
    """Move the upper half of a full block into a new one placed after it."""
    right = _new_block(s)
    half = SIZE // 2
    moved = 0
    for i in range(half, SIZE):
        s.ends[right * SIZE + i - half] = s.ends[block * SIZE + i]
        moved += s.ends[block * SIZE + i].weight
    s.end_blocks[right].count = SIZE - half
    s.end_blocks[right].weight = moved
    s.end_blocks[block].count = half
    s.end_blocks[block].weight -= moved
    base = s.sites[site].ends_at
    for i in range(s.sites[site].n_ends, at + 1, -1):
        s.end_order[base + i] = s.end_order[base + i - 1]
    s.end_order[base + at + 1] = right
    s.sites[site].n_ends += 1


@kernel()
def ends_add(s, site, time, job, weight):
    """Add weight to the entry (time, job) of the site, made if absent."""
    st = s.sites[site]
    if st.n_ends == 0:
        s.end_order[st.ends_at] = _new_block(s)
        st.n_ends = 1
    at = _find_block(s, site, time, job)
    block = np.int64(s.end_order[st.ends_at + at])
    slot = _find_entry(s, block, time, job)
    base = block * SIZE
    count = np.int64(s.end_blocks[block].count)
    if slot < count and s.ends[base + slot].time == time and s.ends[base + slot].job == job:
        s.ends[base + slot].weight += weight
        s.end_blocks[block].weight += weight
        return
    if count == SIZE:
        _split(s, site, at, block)
        if slot > SIZE // 2:
            slot -= SIZE // 2
            block = np.int64(s.end_order[st.ends_at + at + 1])
            base = block * SIZE
        count = np.int64(s.end_blocks[block].count)
    for i in range(base + count, base + slot, -1):
        s.ends[i].time = s.ends[i - 1].time
        s.ends[i].job = s.ends[i - 1].job
        s.ends[i].weight = s.ends[i - 1].weight
    s.ends[base + slot].time = time
    s.ends[base + slot].job = job
    s.ends[base + slot].weight = weight
    s.end_blocks[block].count = count + 1
    s.end_blocks[block].weight += weight


@kernel()
def _drop_block(s, site, at):
    base = s.sites[site].ends_at
    block = s.end_order[base + at]
    n = s.sites[site].n_ends - 1
    for i in range(at, n):
        s.end_order[base + i] = s.end_order[base + i + 1]
    s.sites[site].n_ends = n
    s.end_blocks[block].next_free = s.clock[0].free_end
    s.clock[0].free_end = block


@kernel()
def _merge(s, site, at):
    """Join the block at ``at`` with the next one if both fit well into one."""
    st = s.sites[site]
    if at + 1 >= st.n_ends:
        return
    left = np.int64(s.end_order[st.ends_at + at])
    right = np.int64(s.end_order[st.ends_at + at + 1])
    n, m = np.int64(s.end_blocks[left].count), np.int64(s.end_blocks[right].count)
    if n + m > SIZE // 2:
        return
    for i in range(m):
        s.ends[left * SIZE + n + i] = s.ends[right * SIZE + i]
    s.end_blocks[left].count = n + m
    s.end_blocks[left].weight += s.end_blocks[right].weight
    _drop_block(s, site, at + 1)


@kernel()
def ends_remove(s, site, time, job):
    """Remove the entry (time, job) of the site; nothing if it is not there."""
    st = s.sites[site]
    if st.n_ends == 0:
        return
    at = _find_block(s, site, time, job)
    block = np.int64(s.end_order[st.ends_at + at])
    slot = _find_entry(s, block, time, job)
    base = block * SIZE
    count = np.int64(s.end_blocks[block].count)
    if slot >= count or s.ends[base + slot].time != time or s.ends[base + slot].job != job:
        return
    s.end_blocks[block].weight -= s.ends[base + slot].weight
    for i in range(base + slot, base + count - 1):
        s.ends[i].time = s.ends[i + 1].time
        s.ends[i].job = s.ends[i + 1].job
        s.ends[i].weight = s.ends[i + 1].weight
    s.end_blocks[block].count = count - 1
    if count == 1:
        _drop_block(s, site, at)
    elif count < SIZE // 4:
        if at > 0:
            _merge(s, site, at - 1)
        else:
            _merge(s, site, at)


@kernel()
def ends_weigh(s, site, time, job, weight):
    """``ends_add`` for a running gang's entry, which exists; put off until somebody reads weights.

    Failures and repairs between two passes change the weight of the same few gangs, often back again.
    """
    run = s.runs[job]
    if run.site != site:
        ends_add(s, site, time, job, weight)
        return
    run.weight_due += weight
    if run.weight_listed == 0:
        run.weight_listed = 1
        c = s.clock[0]
        s.weights_due[c.n_weights_due] = job
        c.n_weights_due += 1


@kernel()
def ends_settle(s):
    """Enter the weights that were put off; jobs that stopped meanwhile owe none."""
    for i in range(s.clock[0].n_weights_due):
        job = np.int64(s.weights_due[i])
        run = s.runs[job]
        run.weight_listed = 0
        if run.weight_due != 0:
            ends_add(s, np.int64(run.site), run.est_end, job, np.int64(run.weight_due))
            run.weight_due = 0
    s.clock[0].n_weights_due = 0


@kernel()
def ends_select(s, site, need):
    """Least time by which entries of total weight >= ``need`` end; NEVER if there are not so many."""
    ends_settle(s)
    st = s.sites[site]
    left = need
    for i in range(st.n_ends):
        block = np.int64(s.end_order[st.ends_at + i])
        if s.end_blocks[block].weight < left:
            left -= s.end_blocks[block].weight
            continue
        for slot in range(block * SIZE, block * SIZE + s.end_blocks[block].count):
            left -= s.ends[slot].weight
            if left <= 0:
                return s.ends[slot].time
    return NEVER


@kernel()
def ends_weight(s, site, time):
    """Total weight of the entries that end at or before ``time``."""
    ends_settle(s)
    st = s.sites[site]
    total = np.int64(0)
    for i in range(st.n_ends):
        block = np.int64(s.end_order[st.ends_at + i])
        last = block * SIZE + s.end_blocks[block].count - 1
        if s.ends[last].time <= time:
            total += s.end_blocks[block].weight
            continue
        for slot in range(block * SIZE, last + 1):
            if s.ends[slot].time > time:
                break
            total += s.ends[slot].weight
        break
    return total


@kernel()
def ends_first(s, site, time):
    """Cursor of the first entry later than ``time``; see ``ends_next``. -1: none."""
    st = s.sites[site]
    if st.n_ends == 0:
        return np.int64(-1)
    at = _find_block(s, site, time, np.int64(2**31 - 1))
    block = np.int64(s.end_order[st.ends_at + at])
    slot = _find_entry(s, block, time, np.int64(2**31 - 1))
    if slot < s.end_blocks[block].count:
        return at * SIZE + slot
    if at + 1 < st.n_ends:
        return (at + 1) * SIZE
    return np.int64(-1)


@kernel()
def ends_slot(s, site, cursor):
    """Index into ``ends`` of a cursor."""
    return np.int64(s.end_order[s.sites[site].ends_at + cursor // SIZE]) * SIZE + cursor % SIZE


@kernel()
def ends_next(s, site, cursor):
    """The cursor after this one, or -1."""
    st = s.sites[site]
    at, slot = cursor // SIZE, cursor % SIZE + 1
    if slot < s.end_blocks[np.int64(s.end_order[st.ends_at + at])].count:
        return at * SIZE + slot
    if at + 1 < st.n_ends:
        return (at + 1) * SIZE
    return np.int64(-1)
