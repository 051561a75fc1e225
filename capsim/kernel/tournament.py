"""A tournament tree: who comes first of many contenders, when single ones come, go or change.

Leaf i of ``winners`` (at ``leaves`` + i) holds the job that contends there, -1 for nobody, and every inner
node the one of its two that comes first. With themis keys grow with time, so a node also holds until when its
outcome is known to stand (a kinetic tournament: Basch, Guibas, Hershberger, J. Algorithms 1999).
"""

from __future__ import annotations

import numpy as np

from capsim.jit import kernel
from capsim.kernel.keys import KEY, THEMIS, comes_before, standing_ratio
from capsim.tables import NEVER

SURE = 0.999_999
"""Part of the time until two keys cross in which rounding cannot make them cross."""


@kernel()
def stands_until(s, first, other):
    """themis: the first instant, ms, at which a computation of the keys may find the other one ahead."""
    rules = s.rules[0]
    mine, theirs = s.standings[first], s.standings[other]
    if rules.by_class and s.classes[s.jobs[first].cls].priority != s.classes[s.jobs[other].cls].priority:
        return NEVER
    at = np.int64(rules.keyed_at)
    if mine.joined > at or theirs.joined > at:
        return at + 1
    if not theirs.alone < mine.alone:
        return NEVER
    ahead = (at + mine.offset) * theirs.alone - (at + theirs.offset) * mine.alone
    left = SURE * ahead / (mine.alone - theirs.alone) - 1.0
    return at + 1 if left < 1.0 else (at + np.int64(left) if left < 1e15 else NEVER)


@kernel()
def play(s, i):
    """Find the winner of inner node i from its two; returns whether it, or until when it stands, changed."""
    left, right = s.winners[2 * i], s.winners[2 * i + 1]
    a, b = np.int64(left.job), np.int64(right.job)
    until = min(left.until, right.until)
    if a < 0:
        a = b
    elif b >= 0:
        if s.rules[0].order == THEMIS:
            s.standings[a].key = standing_ratio(s, a)
            s.standings[b].key = standing_ratio(s, b)
        if comes_before(s, b, a, KEY):
            a, b = b, a
        if s.rules[0].order == THEMIS:
            until = min(until, stands_until(s, a, b))
    node = s.winners[i]
    same = node.job == a and node.until == until
    node.job, node.until = a, until
    return not same


@kernel()
def contend(s, leaf, j, job):
    """Let a job (-1: nobody) contend at a leaf; ``j``: the job whose coming, going or key this is about."""
    i = np.int64(s.rules[0].leaves) + leaf
    s.winners[i].job = job
    s.winners[i].until = NEVER
    i >>= 1
    while i > 0:
        before = s.winners[i].job
        if not play(s, i) and before != j:
            return
        i >>= 1


@kernel()
def play_all(s):
    """Play every node anew."""
    for i in range(np.int64(s.rules[0].leaves) - 1, 0, -1):
        play(s, np.int64(i))


@kernel()
def play_due(s):
    """Play the nodes anew whose outcome may have changed by the present computation of the keys."""
    at, leaves = np.int64(s.rules[0].keyed_at), np.int64(s.rules[0].leaves)
    if s.winners[1].until > at:
        return
    stack = s.line
    stack[0] = 1
    n = 1
    while n > 0:
        n -= 1
        i = np.int64(stack[n])
        if i < 0:
            play(s, -i)
            continue
        stack[n] = -i
        n += 1
        for child in (2 * i, 2 * i + 1):
            if child < leaves and s.winners[child].until <= at:
                stack[n] = child
                n += 1
