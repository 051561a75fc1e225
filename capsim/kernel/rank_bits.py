"""The occupied ranks as a tree of 64-bit words, where nothing is backfilled: only the first one is wanted.

Word k sums up the words 64 k + 1 .. 64 k + 64: its bit i is set if word 64 k + 1 + i is not zero. The words
of the lowest level, the first of which is ``clock.rank_words``, hold a bit a rank. A million ranks take
160 kB and stay in the cache; in the queue's tree of 32 MB every job misses it where ranks are far apart.
"""

from __future__ import annotations

import numpy as np

from capsim.jit import kernel, trailing_zeros
from capsim.kernel.bits import ALL, ONE


def lay_ranks(leaves: int) -> tuple[int, np.ndarray]:
    """(the first word of the lowest level, all words) for ``leaves`` ranks, none of them occupied."""
    first, held = 0, 64
    while held < leaves:
        first, held = 64 * first + 1, 64 * held
    return first, np.zeros(first + -(-leaves // 64), np.uint64)


@kernel()
def rank_insert(s, rank):
    """A rank is occupied."""
    bits = s.rank_bits
    at, bit = s.clock[0].rank_words + (rank >> 6), np.uint64(rank & 63)
    while True:
        old = bits[at]
        bits[at] = old | (ONE << bit)
        if old != 0 or at == 0:
            return
        at, bit = (at - 1) >> 6, np.uint64((at - 1) & 63)


@kernel()
def rank_remove(s, rank):
    """A rank is free."""
    bits = s.rank_bits
    at, bit = s.clock[0].rank_words + (rank >> 6), np.uint64(rank & 63)
    while True:
        new = bits[at] & ~(ONE << bit)
        bits[at] = new
        if new != 0 or at == 0:
            return
        at, bit = (at - 1) >> 6, np.uint64((at - 1) & 63)


@kernel()
def rank_next(s, rank):
    """The first occupied rank >= ``rank``; -1 if there is none."""
    bits, first = s.rank_bits, np.int64(s.clock[0].rank_words)
    if rank >= s.clock[0].leaves:
        return np.int64(-1)
    at = first + (rank >> 6)
    word = bits[at] & (ALL << np.uint64(rank & 63))
    while word == 0:
        if at == 0:
            return np.int64(-1)
        word = bits[(at - 1) >> 6] & ((ALL << np.uint64((at - 1) & 63)) << ONE)
        at = (at - 1) >> 6
    while at < first:
        at = (at << 6) + 1 + trailing_zeros(word)
        word = bits[at]
    return ((at - first) << 6) + trailing_zeros(word)
