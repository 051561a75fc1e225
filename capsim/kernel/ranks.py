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


def _trees(s: State) -> list[np.ndarray]:
    """The queue's tree; with reservations made in advance also that of the jobs that may use an open one."""
    return [s.tree, s.special_tree] if s.clock["windows"][0] else [s.tree]


def _move(s: State, lo: int, hi: int, by: int) -> None:
    """Move the jobs in the slots lo..hi-1 by one slot, with their leaves of the queue's tree."""
    if lo == hi:
        return
    jobs = s.by_rank[lo:hi].copy()
    s.by_rank[lo + by : hi + by] = jobs
    s.runs["rank"][jobs] += by
    if s.clock["easy"][0]:
        leaves = int(s.clock["leaves"][0])
        opened = leaves + (lo if by > 0 else hi - 1)
        for tree in _trees(s):
            tree[leaves + lo + by : leaves + hi + by] = tree[leaves + lo : leaves + hi].copy()
            tree["size"][opened] = tree["duration"][opened] = EMPTY
            _renew(tree, leaves + min(lo, lo + by), leaves + max(hi, hi + by))
    else:
        _move_bits(s.rank_bits, int(s.clock["rank_words"][0]), lo, hi, by)
    for name in HELD:
        if lo <= s.clock[name][0] < hi:
            s.clock[name] += by


def _move_bits(words: np.ndarray, first: int, lo: int, hi: int, by: int) -> None:
    """Move the occupied ranks lo..hi-1 by one, in the words from ``first`` on, and renew those above."""
    at, end = first + (min(lo, lo + by) >> 6), first + ((max(hi, hi + by) - 1) >> 6) + 1
    base = (at - first) << 6
    bits = np.unpackbits(words[at:end].view(np.uint8), bitorder="little")
    bits[lo + by - base : hi + by - base] = bits[lo - base : hi - base].copy()
    bits[(lo if by > 0 else hi - 1) - base] = 0
    words[at:end] = np.packbits(bits, bitorder="little").view(np.uint64)
    while at > 0:
        at, end = (at - 1) >> 6, ((end - 2) >> 6) + 1
        below = words[64 * at + 1 : 64 * end + 1] != 0
        filled = np.zeros(64 * (end - at), bool)
        filled[: len(below)] = below
        words[at:end] = np.packbits(filled, bitorder="little").view(np.uint64)


def restate_durations(s: State, jobs: np.ndarray, best: float) -> None:
    """Set the least possible estimate of waiting jobs of one class, whose best speed is now ``best``.

    The same formula as at their submission (``running.enqueue``); jobs that are set aside or held get it
    when they come back: with an order that changes, others may have their slots by now.
    """
    if not len(jobs):
        return
    fastest = best * (s.jobs["size_max"][jobs] / s.jobs["size_ref"][jobs])
    left = s.runs["request_left"][jobs]
    duration = np.where(fastest > 0, left / np.maximum(fastest, 1e-9), 0).astype(np.int64)
    duration += np.maximum(s.runs["overhead_ms"][jobs], 0)
    s.runs["shortest"][jobs] = duration
    if not s.clock["easy"][0]:
        return
    there = s.runs["parked"][jobs] == 0
    if not there.any():
        return
    leaf, duration = s.runs["rank"][jobs[there]] + int(s.clock["leaves"][0]), duration[there]
    for tree in _trees(s):
        queued = tree["size"][leaf] != EMPTY
        tree["duration"][leaf[queued]] = duration[queued]
        _renew(tree, int(leaf.min()), int(leaf.max()) + 1)


def _renew(tree: np.ndarray, lo: int, hi: int) -> None:
    """Recompute the inner nodes above the leaves lo..hi-1 of the queue's tree."""
    while lo > 1:
        lo, hi = lo // 2, (hi - 1) // 2 + 1
        for name in ("size", "duration"):
            below = tree[name][2 * lo : 2 * hi]
            tree[name][lo:hi] = np.minimum(below[0::2], below[1::2])
