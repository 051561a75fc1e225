"""Failures of a tranche drawn ahead: gaps, nodes and times in repair of many events at once.

What event n of a tranche is depends on the tranche's seed and rates alone, so a batch is drawn in loops
without jumps, several events an instruction.
"""

from __future__ import annotations

import math

import numpy as np

from capsim.jit import kernel
from capsim.kernel.elementary import cosine, exponential, natural_log

BATCH = 256
"""Events of a tranche drawn at once, a power of two."""

GAP, WHERE, REPAIR_TIME = 0, 1, 2
"""What is drawn of an event: ms since the one before, place in the virtual tranche, ms in repair."""

NODE_SHIFT = 24
"""A place is domain << NODE_SHIFT | node in it; failure events carry it, too."""

FAR = 1e18
"""Ms, some thirty million years: no gap and no repair is taken to be longer."""


@kernel()
def mix(x):
    """SplitMix64's finaliser (Steele, Lea, Flood: Fast splittable pseudorandom number generators, OOPSLA
    2014).
    """
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@kernel()
def draw(seed, counter, lane):
    """The 64-bit draw number ``lane`` of event ``counter`` of a seed."""
    return mix(
        mix(seed + np.uint64(0x9E3779B97F4A7C15) * (counter + np.uint64(1)))
        + np.uint64(0xD1B54A32D192ED03) * lane
    )


@kernel()
def unit(x):
    """A draw as a float in (0, 1)."""
    return (np.float64(x >> np.uint64(11)) + 0.5) * (1.0 / 9007199254740992.0)


@kernel()
def below(x, n):
    """A draw as an integer in 0..n-1 (n < 2**31)."""
    return np.int64(((x >> np.uint64(32)) * np.uint64(n)) >> np.uint64(32))


@kernel()
def drawn_at(t, n, what):
    """Where ``what`` of event n of tranche t is in ``drawn``."""
    return (t * 3 + what) * BATCH + (n & (BATCH - 1))


@kernel()
def place(node, per):
    """The place of a node where a domain has ``per``; a float's quotient, as there is no vector of others.

    It is exact: below 2**53 no quotient comes nearer to the next integer than its rounding.
    """
    domain = np.int64(np.float64(node) / np.float64(per))
    return (domain << NODE_SHIFT) | (node - domain * per)


@kernel()
def draw_batch(s, t, per):
    """Draw the batch that begins with the next event of tranche t, with ``per`` nodes a domain."""
    tr = s.tranches[t]
    nodes = np.int64(tr.virtual_domains) * per
    seed, first, rate = tr.seed, tr.counter, tr.total_rate
    median, sigma = tr.repair_median, tr.repair_sigma
    at = drawn_at(t, np.int64(0), GAP)
    for i in range(BATCH):
        gap = -natural_log(unit(draw(seed, first + np.uint64(i), np.uint64(0)))) / rate
        s.drawn[at + i] = np.int64(min(gap, FAR))
    at += BATCH
    for i in range(BATCH):
        s.drawn[at + i] = place(below(draw(seed, first + np.uint64(i), np.uint64(2)), nodes), per)
    if tr.lemons > 0:
        draw_lemons(s, t, at, nodes, per)
    at += BATCH
    for i in range(BATCH):
        a = unit(draw(seed, first + np.uint64(i), np.uint64(4)))
        b = unit(draw(seed, first + np.uint64(i), np.uint64(5)))
        normal = math.sqrt(-2.0 * natural_log(a)) * cosine(2.0 * math.pi * b)
        time = median * exponential(max(-700.0, min(sigma * normal, 700.0)))
        s.drawn[at + i] = np.int64(max(1.0, min(time, FAR)))
    tr.drawn = first + np.uint64(BATCH)


@kernel()
def draw_lemons(s, t, at, nodes, per):
    """Some of the batch's events, in proportion to their excess rate, hit one of the lemon nodes instead."""
    tr = s.tranches[t]
    for i in range(BATCH):
        n = tr.counter + np.uint64(i)
        if unit(draw(tr.seed, n, np.uint64(1))) * tr.total_rate < tr.lemon_rate:
            k = below(draw(tr.seed, n, np.uint64(2)), tr.lemons)
            lo, hi = k * nodes // tr.lemons, (k + 1) * nodes // tr.lemons
            lemon = draw(tr.seed ^ np.uint64(0xA5A5A5A5), np.uint64(k), np.uint64(6))
            s.drawn[at + i] = place(lo + below(lemon, hi - lo), per)


@kernel()
def takes_domain(tr, n):
    """Whether event n of a tranche takes the whole domain of the node it hits."""
    return tr.domain_share > 0.0 and unit(draw(tr.seed, n, np.uint64(3))) < tr.domain_share
