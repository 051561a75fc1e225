"""Places in the queue's order for late jobs: slots with room at both ends, the shorter side moves."""

from __future__ import annotations

import numpy as np

from capsim.kernel.state import EMPTY, State

HELD = ("resv_rank", "promise_rank", "first_new")
"""Ranks that the clock remembers between passes."""


def open_slot(s: State, first: int, count: int, position: int) -> tuple[int, int]:
    """Free the slot for a job that comes at ``position`` (0 .. count) of the order.

    ``count`` jobs hold the slots from ``first`` on. Returns (the slot, the new first slot). The caller has
    made sure that there is room for one more.
    """
    slot = first + position
    room = first + count < len(s.by_rank)
    if first > 0 and (position <= count - position or not room):
        _move(s, first, slot, -1)
        return slot - 1, first - 1
    _move(s, slot, first + count, 1)
    return slot, first


def _move(s: State, lo: int, hi: int, by: int) -> None:
    """Move the jobs in the slots lo..hi-1 by one slot, with their leaves of the queue's tree."""
    if lo == hi:
        return
    jobs = s.by_rank[lo:hi].copy()
    s.by_rank[lo + by : hi + by] = jobs
    s.runs["rank"][jobs] += by
    leaves = int(s.clock["leaves"][0])
    s.tree[leaves + lo + by : leaves + hi + by] = s.tree[leaves + lo : leaves + hi].copy()
    opened = leaves + (lo if by > 0 else hi - 1)
    s.tree["size"][opened] = s.tree["duration"][opened] = EMPTY
    _renew(s.tree, leaves + min(lo, lo + by), leaves + max(hi, hi + by))
    for name in HELD:
        if lo <= s.clock[name][0] < hi:
            s.clock[name] += by


def _renew(tree: np.ndarray, lo: int, hi: int) -> None:
    """Recompute the inner nodes above the leaves lo..hi-1 of the queue's tree."""
    while lo > 1:
        lo, hi = lo // 2, (hi - 1) // 2 + 1
        for name in ("size", "duration"):
            below = tree[name][2 * lo : 2 * hi]
            tree[name][lo:hi] = np.minimum(below[0::2], below[1::2])
