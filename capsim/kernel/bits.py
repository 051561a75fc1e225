"""Bitmaps with one level of summary: a set bit is found among millions in a few loads.

A bitmap over ``n`` items has ``words`` 64-bit words followed by ``summary`` words; summary bit i is set
if word i is not zero.
"""

from __future__ import annotations

import numpy as np

from capsim.jit import count_ones, kernel, trailing_zeros

ZERO = np.uint64(0)
ONE = np.uint64(1)
ALL = np.uint64(0xFFFFFFFFFFFFFFFF)


@kernel()
def bit_set(bits, at, words, i):
    w = i >> 6
    old = bits[at + w]
    bits[at + w] = old | (ONE << np.uint64(i & 63))
    if old == 0:
        bits[at + words + (w >> 6)] |= ONE << np.uint64(w & 63)


@kernel()
def bit_clear(bits, at, words, i):
    w = i >> 6
    new = bits[at + w] & ~(ONE << np.uint64(i & 63))
    bits[at + w] = new
    if new == 0:
        bits[at + words + (w >> 6)] &= ~(ONE << np.uint64(w & 63))


@kernel()
def word_set(bits, at, words, w, mask):
    """Set the bits of a mask in word w."""
    old = bits[at + w]
    bits[at + w] = old | mask
    if old == 0 and mask != 0:
        bits[at + words + (w >> 6)] |= ONE << np.uint64(w & 63)


@kernel()
def word_clear(bits, at, words, w, mask):
    """Clear the bits of a mask in word w."""
    new = bits[at + w] & ~mask
    bits[at + w] = new
    if new == 0:
        bits[at + words + (w >> 6)] &= ~(ONE << np.uint64(w & 63))


@kernel()
def bit_test(bits, at, i):
    return (bits[at + (i >> 6)] >> np.uint64(i & 63)) & ONE != 0


@kernel()
def bit_next(bits, at, words, i):
    """First set bit at or above ``i``, or -1."""
    w = i >> 6
    if w >= words:
        return np.int64(-1)
    word = bits[at + w] & (ALL << np.uint64(i & 63))
    if word != 0:
        return (w << 6) + trailing_zeros(word)
    w += 1
    if w >= words:
        return np.int64(-1)
    summary = (words + 63) >> 6
    v = w >> 6
    above = bits[at + words + v] & (ALL << np.uint64(w & 63))
    while above == 0:
        v += 1
        if v >= summary:
            return np.int64(-1)
        above = bits[at + words + v]
    w = (v << 6) + trailing_zeros(above)
    return (w << 6) + trailing_zeros(bits[at + w])


@kernel()
def bit_next_without(bits, at, words, i, mask):
    """First bit at or above ``i`` that is set here and not in the bitmap at ``mask``, or -1."""
    w = i >> 6
    if w >= words:
        return np.int64(-1)
    word = bits[at + w] & (ALL << np.uint64(i & 63)) & ~bits[mask + w]
    while word == 0:
        w += 1
        if w >= words:
            return np.int64(-1)
        if bits[at + w] == 0:
            w = bit_next(bits, at, words, w << 6)
            if w < 0:
                return np.int64(-1)
            w >>= 6
        word = bits[at + w] & ~bits[mask + w]
    return (w << 6) + trailing_zeros(word)


@kernel()
def word_part(w, lo, hi):
    """The bits of word ``w`` that lie in lo..hi-1; the word does."""
    part = ALL
    if w == lo >> 6:
        part &= ALL << np.uint64(lo & 63)
    if w == (hi - 1) >> 6:
        part &= ALL >> np.uint64(63 - ((hi - 1) & 63))
    return part


@kernel()
def bit_count_without(bits, at, lo, hi, mask):
    """Number of bits in lo..hi-1 that are set here and not in the bitmap at ``mask``."""
    n = np.int64(0)
    for w in range(lo >> 6, ((hi - 1) >> 6) + 1):
        n += count_ones(bits[at + w] & ~bits[mask + w] & word_part(np.int64(w), lo, hi))
    return n
